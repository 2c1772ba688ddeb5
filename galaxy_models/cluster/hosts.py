"""The hosts of a cluster, each asked by a small task that runs there.

It knows neither what they are asked nor why. Without a Ray that runs there are no other
hosts, and none is imported.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from galaxy_models.cluster.this_machine import ray_is_up

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 120.0  # a host must start a process first

Hosts = Mapping[str, str]
"""Ray's ids of hosts, and their addresses."""


def working_hosts() -> Hosts:
    """List the hosts that may get work."""
    if not ray_is_up():
        return {}

    import ray

    return {
        node["NodeID"]: node["NodeManagerAddress"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    }


def other_hosts() -> Hosts:
    """List those that this process does not run on."""
    hosts = working_hosts()
    if not hosts:
        return {}

    import ray

    own_id = ray.get_runtime_context().get_node_id()
    return {node: address for node, address in hosts.items() if node != own_id}


def ask(
    hosts: Hosts,
    look: Callable[[Any], Any],
    at: Any,
    timeout_s: float = ANSWER_TIMEOUT_S,
) -> list[tuple[str, Any]]:
    """Call a function on every one of some hosts.

    A host that is lost meanwhile, or too busy to answer, is skipped.

    Args:
        hosts: those that are asked.
        look: the function.
        at: its argument.
        timeout_s: for all answers (s).

    Returns:
        The hosts' addresses and answers.

    Raises:
        ResourceError: a host cannot run this package's code.
    """
    if not hosts:
        return []

    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from galaxy_models.cluster.ray_errors import host_error

    tasks = {}
    for node_id, address in hosts.items():
        there = NodeAffinitySchedulingStrategy(node_id, soft=False)
        task = ray.remote(num_cpus=0)(look).options(scheduling_strategy=there)
        tasks[task.remote(at)] = address
    done, _ = ray.wait(list(tasks), num_returns=len(tasks), timeout=timeout_s)
    answers = []
    for task in done:
        try:
            answers.append((tasks[task], ray.get(task)))
        except ray.exceptions.RayTaskError as error:
            raise host_error(tasks[task], error) from error
        except ray.exceptions.RayError:
            logger.warning("host %s is lost, or cannot be asked", tasks[task])
    return answers


def listed(hosts: list[str]) -> str:
    """Name some hosts, and the number of the others."""
    shown = ", ".join(hosts[:3])
    return f"host {shown}" + (f" and {len(hosts) - 3} more" if hosts[3:] else "")

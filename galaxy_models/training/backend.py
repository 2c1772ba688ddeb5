"""Tell Ray Train's workers of each other, the way TensorFlow wants to hear it.

Ray's own TensorFlow backend does the same, but importing it imports TensorFlow on
the driver (seconds and 400 MB) and turns Keras 3 off in the workers
(``TF_USE_LEGACY_KERAS=1``).
"""

import json
import os
import socket
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig


class CollectiveConfig(BackendConfig):
    """Asks for ``TF_CONFIG`` to be set in every worker."""

    @property
    def backend_cls(self) -> type["CollectiveBackend"]:
        """What Ray Train runs when the workers have started."""
        return CollectiveBackend

    def to_dict(self) -> dict[str, Any]:
        """Nothing to configure."""
        return {}


class CollectiveBackend(Backend):
    """Sets ``TF_CONFIG``: every worker's address, and the worker's own rank."""

    def on_start(self, worker_group: Any, backend_config: CollectiveConfig) -> None:
        """Exchange addresses; Ray Train calls this before the training function."""
        del backend_config
        addresses = worker_group.execute(free_address)
        futures = [
            worker_group.execute_single_async(rank, set_tf_config, addresses, rank)
            for rank in range(len(addresses))
        ]
        ray.get(futures)


def free_address() -> str:
    """Find a ``host:port`` that other workers can reach this process by."""
    host = ray.util.get_node_ip_address()
    if ":" in host:
        return f"[{host}]:{free_port(socket.AF_INET6)}"
    return f"{host}:{free_port()}"


def free_port(family: socket.AddressFamily = socket.AF_INET) -> int:
    """Find a TCP port that nothing listens on just now."""
    with socket.socket(family) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def set_tf_config(addresses: list[str], rank: int) -> None:
    """Set ``TF_CONFIG`` as ``tf.distribute`` reads it."""
    task = {"type": "worker", "index": rank}
    cluster = {"worker": addresses}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})

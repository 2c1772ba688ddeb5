"""Run by ``test_cluster_environment.py``: a cluster that was started without keys.

    python tests/support/cluster_environment.py

Prints as JSON what one of its workers sees of the driver's variables, and what gives
the secret away: files of Ray's session, or the arguments of a process. It is a process
of its own because a test session has a Ray of its own.
"""

import json
import os
import sys
from pathlib import Path

import ray
from ray.cluster_utils import Cluster
from secret_watch import files_with, watched_arguments

from galaxy_models.cluster.session import ray_session

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "the-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-that-is-looked-for",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


def worker_environment() -> dict[str, str]:
    """What a worker sees."""
    return {k: v for k, v in os.environ.items() if k.startswith("AWS_")}


def main() -> None:
    """Start a cluster, join it with keys, ask a worker."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    os.environ.update(VARIABLES)
    os.environ["RAY_ADDRESS"] = cluster.address
    secret = VARIABLES["AWS_SECRET_ACCESS_KEY"]
    with ray_session(), watched_arguments() as arguments:
        task = ray.remote(num_cpus=1)(worker_environment)
        seen = ray.get(task.remote())
        session = Path(ray._private.worker.global_worker.node.get_session_dir_path())
    cluster.shutdown()
    told_by = list(map(str, files_with(secret, session)))
    told_by += [line for line in arguments if secret in line]
    sys.stdout.write(json.dumps({"seen": seen, "told_by": told_by}))


if __name__ == "__main__":
    main()

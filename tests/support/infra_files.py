"""The files that start clusters, and what they have in common."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

MANIFESTS = tuple(sorted(INFRA.glob("kuberay/*.yaml")))
LAUNCHER = INFRA / "aws" / "cluster.yaml"
DOCKERFILES = tuple(sorted(INFRA.glob("docker/*.Dockerfile")))
SLURM = INFRA / "slurm" / "ray_job.sbatch"
MODEL_SCRIPTS = tuple(sorted(INFRA.glob("models/*.sh")))
TWO_NODES = INFRA / "local" / "two_nodes.sh"
SCRIPTS = (SLURM, TWO_NODES)

STARTERS = (*MANIFESTS, LAUNCHER, *DOCKERFILES, *SCRIPTS)
"""Every file that a cluster comes of."""

MODEL_FILES = tuple(sorted(INFRA.glob("models/*.*")))
"""What the shipped models come of."""

SUPPLY_CHAIN = INFRA / "supply_chain.sh"
DASHBOARD = INFRA / "grafana" / "galaxy_batch.json"
NOTEBOOK = INFRA / "notebooks" / "from_cutouts_to_a_plot.ipynb"


def name(path: Path) -> str:
    """How a test is called that is about this file."""
    return str(path.relative_to(ROOT))


def pin(package: str) -> str:
    """The version of a package in ``constraints.txt``."""
    pins = (INFRA / "constraints.txt").read_text()
    found = re.search(rf"^{package}==(.+)$", pins, re.MULTILINE)
    assert found, package
    return found[1]

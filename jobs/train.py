"""Train a network on labelled galaxies, on all available CPUs or GPUs.

    python -m jobs.train --help

In a clone the same as ``galaxy-batch train``.
"""

import sys

from galaxy_models.cli.train import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

"""Turn a published table of Galaxy Zoo votes into a labelled catalog.

    python -m jobs.votes --help

In a clone the same as ``galaxy-batch votes``.
"""

import sys

from galaxy_models.cli.votes import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

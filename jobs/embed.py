"""Add an embedding to a copy of a model folder that was trained without one.

    python -m jobs.embed --help

In a clone the same as ``galaxy-batch embed``.
"""

import sys

from galaxy_models.cli.embed import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

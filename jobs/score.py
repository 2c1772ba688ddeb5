"""Predict the class of every galaxy of a catalog; write Parquet for pandas.

    python -m jobs.score --help

In a clone the same as ``galaxy-batch score``.
"""

import sys

from galaxy_models.cli.score import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

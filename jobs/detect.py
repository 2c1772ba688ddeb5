"""Find the sources of wide images and classify them; write Parquet for pandas.

    python -m jobs.detect --help

In a clone the same as ``galaxy-batch detect``.
"""

import sys

from galaxy_models.cli.detect import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

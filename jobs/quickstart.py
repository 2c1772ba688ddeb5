"""Try everything in a few minutes: no data, no network, no cluster needed.

    python -m jobs.quickstart --help

In a clone the same as ``galaxy-batch quickstart``.
"""

import sys

from galaxy_models.cli.quickstart import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

"""Write predictions anew as a HATS catalog, which lsdb opens and crossmatches.

    python -m jobs.hats --help

In a clone the same as ``galaxy-batch hats``.
"""

import sys

from galaxy_models.cli.hats import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

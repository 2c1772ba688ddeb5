"""Find galaxies that look like given ones, or like no others.

    python -m jobs.similar --help

In a clone the same as ``galaxy-batch similar``.
"""

import sys

from galaxy_models.cli.similar import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

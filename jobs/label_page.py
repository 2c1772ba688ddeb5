"""Make a page on which a person labels the galaxies that would teach most.

    python -m jobs.label_page --help

In a clone the same as ``galaxy-batch label_page``.
"""

import sys

from galaxy_models.cli.label_page import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

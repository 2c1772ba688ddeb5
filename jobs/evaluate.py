"""Compare predictions with labels; write metrics, figures and a web page.

    python -m jobs.evaluate --help

In a clone the same as ``galaxy-batch evaluate``.
"""

import sys

from galaxy_models.cli.evaluate import JOB

if __name__ == "__main__":
    sys.exit(JOB.main())

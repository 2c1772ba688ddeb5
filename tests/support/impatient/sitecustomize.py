"""On PYTHONPATH: every process gives up a store that went silent after seconds.

A job's actors cannot be told otherwise: its patience, a minute, is no flag.
"""

from galaxy_models.storage import s3

s3.PATIENCE_S = 5.0

"""Commands of a clone: ``python -m jobs.NAME`` is ``galaxy-batch NAME``."""

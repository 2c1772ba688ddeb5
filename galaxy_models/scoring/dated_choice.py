"""Which rows the dates of images chose to be predicted, written down as a job begins.

With ``--retry changed`` dates choose, and images may be written while the job is
interrupted. It resumes with the rows that it chose; what was written since is found by
the next scoring, for the job's record gives the time of the first look at the dates.

    _unfinished-choice  runs of chosen rows, Parquet; deleted when the job is finished
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.chunks.ledger import to_parquet
from galaxy_models.storage.output_folder import UNFINISHED_NAME, Marker
from galaxy_models.tables.formats.row_runs import RowRuns

CHOICE_NAME = f"{UNFINISHED_NAME}-choice"
CHOSEN_KEY = "the rows that are not carried over"  # in the resume key
LOOKED_KEY = b"looked_s"


@dataclass(frozen=True)
class DatedChoice:
    """What is predicted, as the dates of images were at some time."""

    chosen: RowRuns
    """The catalog's rows that are predicted: new, failed before, or changed."""

    looked_s: float
    """Before any date was looked at (s since 1970)."""


def write_choice(output: str, choice: DatedChoice) -> None:
    """Write a choice down, once the output is marked as begun.

    Raises:
        StorageError: a disk or store does not take it.
    """
    runs = pa.table({"start": choice.chosen.starts, "stop": choice.chosen.stops})
    runs = runs.replace_schema_metadata({LOOKED_KEY: repr(choice.looked_s)})
    storage.write_bytes(storage.join(output, CHOICE_NAME), to_parquet(runs))


def read_choice(output: str, marker: Marker | None) -> DatedChoice | None:
    """Read the choice of an unfinished job.

    Args:
        output: URI of its folder.
        marker: the job's, None if none is resumed.

    Returns:
        None if it made none or an earlier version began it, which wrote none down.

    Raises:
        StorageError: an object store does not answer.
    """
    if marker is None or CHOSEN_KEY not in marker.resume_key:
        return None
    try:
        data = storage.read_bytes(storage.join(output, CHOICE_NAME))
        runs = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, FileNotFoundError):
        return None
    chosen = RowRuns(runs["start"].to_numpy(), runs["stop"].to_numpy())
    if chosen.hexdigest() != marker.resume_key[CHOSEN_KEY]:
        return None  # that of a job before, which this one replaced
    return DatedChoice(chosen, float(runs.schema.metadata[LOOKED_KEY]))

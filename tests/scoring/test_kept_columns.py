"""Kept columns whose catalog was written by another library than the earlier one."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from earlier_scoring import Configure, galaxies, read

from galaxy_models.errors import PredictionsError
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey

NUMBER, SURE_NUMBER = (
    pa.field("ra", pa.float64(), nullable=nullable) for nullable in (True, False)
)
TEXT = pa.field("ra", pa.string())
LARGE_TEXT = pa.field("ra", pa.large_string())


def rewrite(file: Path | str, ra: pa.Field) -> None:
    """Write a file again, its right ascensions in another column type."""
    table = pq.read_table(file)
    values = table["ra"].cast(pa.float64())
    if not pa.types.is_floating(ra.type):
        values = values.cast(pa.string())
    index = table.column_names.index("ra")
    pq.write_table(table.set_column(index, ra, values.cast(ra.type)), file)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (NUMBER, SURE_NUMBER),
        (SURE_NUMBER, NUMBER),
        (TEXT, LARGE_TEXT),
        (LARGE_TEXT, TEXT),
        (LARGE_TEXT, LARGE_TEXT),
    ],
)
def test_kept_columns_are_carried_over_whichever_library_wrote_the_catalog(
    configure_grown: Configure,
    labelled: Survey,
    tmp_path: Path,
    before: pa.Field,
    now: pa.Field,
) -> None:
    table = galaxies(labelled, 27).iloc[1:]  # one row is kept, two are new
    table.loc[3, "ra"] = 99.5
    config = configure_grown(table, retry=(), removed_rows="keep")
    rewrite(config.catalog, now)
    for number in range(3):
        rewrite(tmp_path / f"previous/part-{number:06d}.parquet", before)

    record = score(config)

    assert (record.num_rows, record.num_rows_this_run) == (27, 2)
    ra = read(config.output)["ra"].astype(float).tolist()
    assert ra == [0, 1, 2, 99.5, *range(4, 27)]
    is_number = pa.types.is_floating(now.type)
    for file in Path(config.output).glob("part-*.parquet"):
        kept = pq.read_schema(file).field("ra")
        assert kept.type == (pa.float64() if is_number else pa.string())
        assert kept.nullable


def test_a_kept_column_of_another_type_is_refused(
    configure_grown: Configure, labelled: Survey
) -> None:
    config = configure_grown(galaxies(labelled, 27))
    rewrite(config.catalog, LARGE_TEXT)
    with pytest.raises(PredictionsError, match="ra is double there and string now"):
        score(config)

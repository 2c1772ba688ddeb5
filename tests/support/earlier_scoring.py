"""A finished scoring of 25 galaxies, from which a catalog that grew to 32 goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from galaxy_models.config import ScoreConfig
from galaxy_models.simulation import Survey

ROWS_PER_FILE = 10
NUM_BEFORE = 25  # in files of 10, 10 and 5
NUM_NOW = 32
MISSING = 12  # in the second file; its image comes later
NO_IMAGE = 22  # in the third file; it never comes
Configure = Callable[..., ScoreConfig]


def galaxies(labelled: Survey, num: int, **columns: Any) -> pd.DataFrame:
    """The first galaxies of a catalog, whose images have full paths."""
    table = pd.read_csv(labelled.catalog).head(num)[["object_id", "image"]]
    table["object_id"] = range(num)
    table["image"] = [str(labelled.catalog.parent / path) for path in table["image"]]
    return table.assign(ra=[float(number) for number in range(num)], **columns)


def score_earlier(labelled: Survey, folder: Path) -> None:
    """Score 25 galaxies into ``folder / "previous"``; two of them fail."""
    from galaxy_models.scoring import score

    table = galaxies(labelled, NUM_BEFORE)
    table.loc[MISSING, "image"] = str(folder / "late.jpg")
    table.loc[NO_IMAGE, "image"] = str(folder / "never.jpg")
    table.to_parquet(folder / "before.parquet", index=False)
    record = score(
        ScoreConfig(
            catalog=str(folder / "before.parquet"),
            model="galaxy-zoo",
            output=str(folder / "previous"),
            plan="local",
            rows_per_file=ROWS_PER_FILE,
            keep=("ra",),
        )
    )
    assert record.failure_reasons == {"missing": 2}


def read(folder: str | Path) -> pd.DataFrame:
    """Read predictions in the order of their ids."""
    return pd.read_parquet(folder).set_index("object_id").sort_index()


def without_images(table: pd.DataFrame, numbers: range) -> pd.DataFrame:
    """A catalog that names images which do not exist: whoever decodes them fails."""
    table.loc[list(numbers), "image"] = "/nowhere.jpg"
    return table


def change_record(folder: Path, **changes: Any) -> None:
    """Change what a finished scoring says of itself."""
    path = folder / "_run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

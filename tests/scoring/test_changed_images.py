"""Images that were written anew after they were scored: ``--retry changed``."""

import os
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from earlier_scoring import (
    NUM_BEFORE,
    Configure,
    change_record,
    galaxies,
    read,
)

from galaxy_models.errors import CatalogError, PredictionsError
from galaxy_models.scoring import score
from galaxy_models.scoring.carry_over import CLOCKS_DIFFER_S
from galaxy_models.simulation import Survey

HOUR_S = 3600.0


def dated_galaxies(labelled: Survey, folder: Path, written_s: float) -> pd.DataFrame:
    """The galaxies of the earlier scoring, whose images all have one date."""
    table = galaxies(labelled, NUM_BEFORE)
    (folder / "images").mkdir()
    for number, image in enumerate(table["image"]):
        copy = shutil.copy(image, f"{folder}/images/{number}.jpg")
        table.loc[number, "image"] = copy
        write_anew(table, number, written_s)
    return table


def write_anew(table: pd.DataFrame, number: int, written_s: float) -> None:
    """Give a galaxy's image a date."""
    os.utime(table["image"].iloc[number], (written_s, written_s))


def test_images_that_were_written_since_are_predicted_again(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    now = galaxies(labelled, NUM_BEFORE)
    read_since_s = time.time() + 1000  # all images of the survey are older
    change_record(tmp_path / "previous", images_read_since_s=read_since_s)
    for number, seconds in ((3, 1), (4, -CLOCKS_DIFFER_S - 1)):
        image = tmp_path / f"{number}.jpg"
        image.write_bytes(Path(now["image"].iloc[number + 1]).read_bytes())
        os.utime(image, (read_since_s + seconds,) * 2)
        now.loc[number, "image"] = str(image)
    config = configure_grown(now, retry=("changed",))

    record = score(config)

    assert record.num_rows_this_run == 1
    before, after = read(tmp_path / "previous"), read(config.output)
    same = (before["confidence"] == after["confidence"])[before["status"] == "ok"]
    assert same[~same].index.tolist() == [3]
    assert record.images_read_since_s is not None
    assert record.images_read_since_s < read_since_s


def test_the_oldest_reading_of_an_image_is_handed_on(
    configure_grown: Configure, tmp_path: Path
) -> None:
    change_record(tmp_path / "previous", images_read_since_s=12.0)
    assert score(configure_grown()).images_read_since_s == 12.0


def test_changed_images_without_dates_are_refused(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    holding = galaxies(labelled, NUM_BEFORE).assign(image=b"pixels")
    with pytest.raises(CatalogError, match="--retry changed: .* no dates; leave"):
        score(configure_grown(holding, retry=("changed",)))
    change_record(tmp_path / "previous", images_read_since_s=None)
    with pytest.raises(PredictionsError, match="does not say when its images were"):
        score(configure_grown(retry=("changed",)))


def test_a_change_of_an_image_that_the_catalog_lacked_meanwhile_is_noticed(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    now_s = time.time()
    now = dated_galaxies(labelled, tmp_path, now_s - 2 * HOUR_S)
    change_record(tmp_path / "previous", images_read_since_s=now_s - HOUR_S)
    write_anew(now, 0, now_s - HOUR_S / 2)
    meanwhile = configure_grown(
        now.iloc[1:], retry=("changed",), removed_rows="keep", output=f"{tmp_path}/2"
    )
    assert score(meanwhile).num_rows_this_run == 0

    again = configure_grown(now, retry=("changed",), previous=meanwhile.output)

    assert score(again).num_rows_this_run == 1

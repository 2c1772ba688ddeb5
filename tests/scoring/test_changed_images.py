"""Images that were written anew after they were scored: ``--retry changed``."""

import dataclasses
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from earlier_scoring import (
    NUM_BEFORE,
    NUM_NOW,
    Configure,
    change_record,
    galaxies,
    read,
)

from galaxy_models.errors import CatalogError, OutputError, PredictionsError
from galaxy_models.scoring import pipeline, score
from galaxy_models.scoring.carry_over import CLOCKS_DIFFER_S
from galaxy_models.scoring.dated_choice import (
    CHOICE_NAME,
    CHOSEN_KEY,
    DatedChoice,
    read_choice,
    write_choice,
)
from galaxy_models.simulation import Survey
from galaxy_models.storage.output_folder import Marker
from galaxy_models.tables.formats.row_runs import RowRuns

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


def test_an_image_written_while_a_job_is_interrupted_waits_for_the_next_one(
    configure_grown: Configure,
    labelled: Survey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = time.time()
    now = dated_galaxies(labelled, tmp_path, now_s - 2 * HOUR_S)
    change_record(tmp_path / "previous", images_read_since_s=now_s - HOUR_S)
    write_anew(now, 3, now_s)
    config = configure_grown(now, retry=("failed", "changed"), output=f"{tmp_path}/2")
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "_predict_what_remains")  # it dies as it begins
        with pytest.raises(NameError):
            score(config)
    interrupted_s = time.time()
    write_anew(now, 3, now_s + HOUR_S)
    write_anew(now, 4, now_s + HOUR_S)
    with pytest.raises(OutputError, match=r"--retry was .*, now \['changed'\]\. Ask"):
        score(dataclasses.replace(config, retry=("changed",)))

    record = score(config)

    assert record.num_rows_this_run == 3  # the third galaxy and two that had failed
    assert record.images_read_since_s is not None
    assert now_s < record.images_read_since_s < interrupted_s
    assert not [name for name in os.listdir(config.output) if "unfinished" in name]
    again = configure_grown(now, retry=("changed",), previous=config.output)
    assert score(again).num_rows_this_run == 2


def test_a_job_that_wrote_no_choice_down_is_resumed_if_it_chooses_the_same(
    configure_grown: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure_grown(retry=("failed", "changed"))
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "_predict_what_remains")
        with pytest.raises(NameError):
            score(config)
    Path(config.output, CHOICE_NAME).unlink()  # as in earlier versions
    assert score(config).num_rows == NUM_NOW


def test_only_the_job_that_made_a_choice_takes_it_up(tmp_path: Path) -> None:
    choice = DatedChoice(RowRuns.where(np.array([True, False, True])), 12.5)
    marker = Marker({CHOSEN_KEY: choice.chosen.hexdigest()}, is_emptied=True)
    assert read_choice(str(tmp_path), marker) is None
    write_choice(str(tmp_path), choice)
    assert read_choice(str(tmp_path), marker) == choice
    assert read_choice(str(tmp_path), None) is None
    others = Marker({CHOSEN_KEY: "another"}, is_emptied=True)
    assert read_choice(str(tmp_path), others) is None
    (tmp_path / CHOICE_NAME).write_bytes(b"PAR1")  # cut short
    assert read_choice(str(tmp_path), marker) is None

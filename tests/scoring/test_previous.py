"""A catalog that grew: earlier predictions are carried over, the rest is predicted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from earlier_scoring import (
    MISSING,
    NO_IMAGE,
    NUM_BEFORE,
    NUM_NOW,
    Configure,
    change_record,
    galaxies,
    read,
    without_images,
)

from galaxy_models.errors import (
    CatalogError,
    OutputError,
    PredictionsError,
)
from galaxy_models.scoring import pipeline, score
from galaxy_models.scoring.request import open_request
from galaxy_models.scoring.run_record import finished_record
from galaxy_models.simulation import Survey
from galaxy_models.tables.first_images import NUM_PROBED_IMAGES


def part(folder: str | Path, number: int) -> bytes:
    return (Path(folder) / f"part-{number:06d}.parquet").read_bytes()


def test_only_what_is_new_or_failed_is_predicted(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    whole = score(configure_grown(previous=None, output=str(tmp_path / "whole")))
    now = galaxies(labelled, NUM_NOW)
    unchanged = [n for n in range(NUM_BEFORE) if n not in (MISSING, NO_IMAGE)]
    now.loc[unchanged, "image"] = "/nowhere.jpg"

    record = score(config := configure_grown(now))

    pd.testing.assert_frame_equal(read(config.output), read(tmp_path / "whole"))
    assert record.num_rows_this_run == NUM_NOW - NUM_BEFORE + 2
    assert record.num_rows_carried_over == NUM_BEFORE - 2
    assert (record.num_rows, record.num_failed) == (NUM_NOW, whole.num_failed)
    assert part(config.output, 0) == part(tmp_path / "previous", 0)
    assert finished_record(config) == record


def test_failures_of_the_reasons_asked_for_are_tried_again(
    configure_grown: Configure,
) -> None:
    config = configure_grown(retry=("truncated",))
    assert score(config).num_rows_this_run == NUM_NOW - NUM_BEFORE
    assert read(config.output).loc[MISSING, "status"] == "failed"
    again = configure_grown(retry=("missing", "truncated"), output=f"{config.output}-2")
    assert score(again).num_rows_this_run == NUM_NOW - NUM_BEFORE + 2
    assert read(again.output).loc[MISSING, "status"] == "ok"


def test_a_catalog_in_another_order_is_carried_over_whole(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    now = without_images(galaxies(labelled, NUM_BEFORE), range(NUM_BEFORE))
    config = configure_grown(now.iloc[::-1], retry=())

    record = score(config)

    assert (record.num_rows_this_run, record.num_rows_carried_over) == (0, NUM_BEFORE)
    for number in range(3):
        assert part(config.output, number) == part(tmp_path / "previous", number)


@pytest.mark.parametrize(("removed_rows", "num_rows"), [("drop", 24), ("keep", 32)])
def test_rows_that_the_catalog_no_longer_has_are_dropped_or_kept_as_the_flag_says(
    configure_grown: Configure,
    labelled: Survey,
    removed_rows: str,
    num_rows: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    config = configure_grown(galaxies(labelled, 32).iloc[8:], removed_rows=removed_rows)

    record = score(config)

    said = {"drop": "dropped", "keep": "kept"}[removed_rows]
    assert f"8 rows of {config.previous} are not in the catalog: {said}" in caplog.text
    assert (record.num_rows, record.num_rows_removed) == (num_rows, 8)
    assert read(config.output).index.tolist() == list(range(32 - num_rows, 32))
    assert finished_record(config) == record


def test_kept_columns_are_those_of_the_catalog_today(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    now = without_images(galaxies(labelled, 24).iloc[1:], range(1, 10))
    now.loc[3, "ra"] = 99.5

    score(config := configure_grown(now, removed_rows="keep"))

    before, after = read(tmp_path / "previous"), read(config.output)
    assert after["ra"].tolist() == [0, 1, 2, 99.5, *range(4, 25)]
    confidence = [table["confidence"].iloc[3] for table in (before, after)]
    assert confidence[0] == confidence[1]


def test_many_new_images_none_of_which_is_there_are_refused(
    configure_grown: Configure, labelled: Survey
) -> None:
    num_now = NUM_BEFORE + NUM_PROBED_IMAGES
    now = without_images(galaxies(labelled, num_now), range(NUM_BEFORE, num_now))
    with pytest.raises(CatalogError, match="none of the first 20 .*--image-root"):
        score(configure_grown(now))


def test_a_few_new_images_that_are_missing_become_failed_rows(
    configure_grown: Configure, labelled: Survey, caplog: pytest.LogCaptureFixture
) -> None:
    num_now = NUM_BEFORE + NUM_PROBED_IMAGES - 1
    now = without_images(galaxies(labelled, num_now), range(NUM_BEFORE, num_now))

    record = score(config := configure_grown(now))

    assert "failed rows: none of the first 19 images of" in caplog.text
    assert (record.num_rows, record.num_failed) == (num_now, 19)
    after = read(config.output)
    assert set(after.loc[NUM_BEFORE:, "status"]) == {"failed"}


def test_a_run_that_was_lost_is_resumed_and_nothing_is_there_twice(
    configure_grown: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure_grown(rows_per_chunk=2)
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "record_run")  # it dies with all rows written
        with pytest.raises(NameError):
            score(config)
    Path(config.output, "part-000001.parquet").unlink()  # as if it had died earlier
    with pytest.raises(OutputError, match=r"--retry was \['failed'\], now \[\]"):
        score(configure_grown(rows_per_chunk=2, retry=()))

    record = score(config)

    assert record.num_rows_this_run == 0
    assert sorted(pd.read_parquet(config.output)["object_id"]) == list(range(NUM_NOW))
    assert record.num_rows == NUM_NOW


def test_the_same_command_without_previous_is_another_one(
    configure_grown: Configure,
) -> None:
    score(config := configure_grown())
    with pytest.raises(OutputError, match="the files of --previous was .*, now None"):
        finished_record(configure_grown(previous=None))
    assert finished_record(config)


def change_key(folder: Path, name: str, value: str) -> None:
    """Change what a scoring says of the inputs that determined it."""
    key = json.loads((folder / "_run.json").read_text())["resume_key"] | {name: value}
    change_record(folder, resume_key=key, engine=key["the engine"])


def test_the_engine_of_then_predicts_the_rest(
    configure_grown: Configure, tmp_path: Path
) -> None:
    change_key(tmp_path / "previous", "the engine", "keras")
    request = open_request(configure_grown(plan="auto"), str(tmp_path / "staging"))
    assert request.config.engine == "keras"
    with pytest.raises(PredictionsError, match="by keras, which --plan local does not"):
        open_request(configure_grown(), str(tmp_path / "staging"))


REFUSALS: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str]] = {
    "another model": (
        lambda folder: change_key(folder, "the model's hash", "abc"),
        {},
        "the model's hash was abc, now",
    ),
    "other columns": (lambda _: None, {"keep": ()}, r"--keep was \['ra'\], now \[\]"),
    "another engine": (
        lambda _: None,
        {"engine": "keras", "plan": "auto"},
        "the engine was litert-int8, now keras",
    ),
    "another device": (
        lambda _: None,
        {"device": "gpu", "plan": "auto"},
        "by litert-int8, which --device gpu does not allow",
    ),
    "unfinished": (
        lambda folder: (folder / "_unfinished").write_text("{}"),
        {},
        "not finished: run its own command again",
    ),
    "no predictions": (
        lambda folder: (folder / "_run.json").unlink(),
        {},
        "no _run.json of jobs.score",
    ),
    "a lost file": (
        lambda folder: (folder / "part-000001.parquet").unlink(),
        {},
        "holds 15 of the 25 rows",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_predictions_that_cannot_be_carried_over_are_refused_by_name(
    case: str, configure_grown: Configure, tmp_path: Path
) -> None:
    damage, changes, message = REFUSALS[case]
    config = configure_grown(**changes)
    damage(tmp_path / "previous")
    with pytest.raises(PredictionsError, match=f"--previous .*{message}.*--previous"):
        open_request(config, str(tmp_path / "staging"))


def test_ids_of_another_type_are_refused(
    configure_grown: Configure, labelled: Survey, tmp_path: Path
) -> None:
    now = galaxies(labelled, NUM_NOW).astype({"object_id": str})
    with pytest.raises(
        PredictionsError, match="object_id is int64 there and string now"
    ):
        open_request(configure_grown(now), str(tmp_path / "staging"))


@pytest.mark.parametrize("place", ["previous", "previous/next", "."])
def test_an_output_in_the_folder_of_the_previous_is_refused(
    place: str, configure_grown: Configure, tmp_path: Path
) -> None:
    config = configure_grown(output=str(tmp_path / place))
    with pytest.raises(PredictionsError, match="one folder, or one lies in the other"):
        open_request(config, str(tmp_path / "staging"))


def test_a_file_of_two_earlier_ones_has_the_metadata_of_all(
    configure_grown: Configure, labelled: Survey
) -> None:
    dropped = galaxies(labelled, NUM_BEFORE).drop(index=range(4, 18))
    score(config := configure_grown(dropped, retry=()))
    first = pq.read_schema(Path(config.output) / "part-000000.parquet")
    second = pq.read_schema(Path(config.output) / "part-000001.parquet")
    assert first.metadata.keys() == second.metadata.keys()
    assert first.metadata[b"galaxy_batch.model"] == b"galaxy-zoo"
    assert second.field("confidence").metadata[b"ucd"] == b"stat.probability"

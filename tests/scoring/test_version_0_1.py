"""What version 0.1 wrote is still read: a finished scoring, and one that was lost.

The folder ``version_0_1`` holds files that it wrote: a catalog of twenty galaxies (two
images are missing), the card of their model, ``_run.json`` and the three files of a
finished scoring (``--rows-per-chunk 4 --rows-per-file 6``, which it took for files of
two chunks, eight rows), and the marker and a chunk of one that was killed after ten.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from predictors import CountingLog, in_one_stage

from galaxy_models.chunks.driver import WorkDone
from galaxy_models.chunks.ledger import Remaining
from galaxy_models.cluster.resources import Resources
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import OutputError
from galaxy_models.models.folder import read_card
from galaxy_models.scoring import predictor
from galaxy_models.scoring.plan import Plan, make_plan
from galaxy_models.scoring.request import OUTPUT, open_request
from galaxy_models.scoring.run_record import finished_record, record_run
from galaxy_models.storage.output_folder import begin_output, finish_output

WRITTEN = Path(__file__).parent / "version_0_1"
FILES = [f"part-{number:06d}.parquet" for number in range(3)]
ONE_CPU = Resources(cpus_by_host=(1,))
ONE_CLASS = np.array([1, 0, 0, 0, 0], np.float32)


class FirstClassEngine:
    """Takes every galaxy for the first class, as the model of old never did."""

    def __init__(self, *args: object, **options: object) -> None:
        """Takes what ``load_engine`` takes, and needs none of it."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(ONE_CLASS, (len(images), 1))


def restore(name: str, folder: Path, target: Path) -> None:
    """Write a text file of old, as if it had been written in this folder."""
    target.parent.mkdir(exist_ok=True)
    target.write_text((WRITTEN / name).read_text().replace("@FOLDER@", str(folder)))


@pytest.fixture
def config(tmp_path: Path) -> ScoreConfig:
    """The command that version 0.1 was given; catalog and model are there."""
    restore("model.json", tmp_path, tmp_path / "model" / "model.json")
    for name in ("model.keras", "model_int8.tflite", "model_float.tflite"):
        (tmp_path / "model" / name).touch()  # nothing here loads them
    sky = tmp_path / "sky"
    sky.mkdir()
    shutil.copy(WRITTEN / "catalog.parquet", sky)
    for number in set(range(20)) - {3, 13}:
        Image.new("RGB", (32, 32)).save(sky / f"{number}.jpg")
    return ScoreConfig(
        catalog=str(sky / "catalog.parquet"),
        model=str(tmp_path / "model"),
        output=str(tmp_path / "out"),
        engine="litert-float",
        rows_per_file=6,
    )


@pytest.fixture
def finished(config: ScoreConfig, tmp_path: Path) -> Path:
    """The output of a scoring that version 0.1 finished."""
    output = tmp_path / "out"
    restore("_run.json", tmp_path, output / "_run.json")
    for name in FILES:
        shutil.copy(WRITTEN / name, output)
    return output


@pytest.fixture
def unfinished(config: ScoreConfig, tmp_path: Path) -> Path:
    """The output of one that was killed: a file, a chunk of the next one, no more."""
    output = tmp_path / "out"
    restore("_unfinished", tmp_path, output / "_unfinished")
    shutil.copy(WRITTEN / FILES[0], output)
    shutil.copytree(WRITTEN / "_chunks", output / "_chunks")
    return output


def planned(config: ScoreConfig) -> Plan:
    request = open_request(config, f"{config.output}/_staged_catalog")
    return make_plan(request, ONE_CPU, config.output)


def test_its_model_folder_is_read(config: ScoreConfig) -> None:
    card = read_card(config.model)

    assert (card.network, card.alpha, card.vertical_flip) == ("lenet5", 1.0, True)
    assert card.temperature == pytest.approx(0.714, abs=0.001)


def test_its_finished_scoring_is_not_done_again(
    config: ScoreConfig, finished: Path
) -> None:
    record = finished_record(config)

    assert record is not None
    assert (record.format_version, record.num_rows, record.num_failed) == (1, 20, 2)
    assert record.failure_reasons == {"missing": 2}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"engine": "keras"}, "the engine was litert-float, now keras"),
        ({"tta": "flips"}, "--tta was none, now flips"),
        ({"rows_per_file": 7}, "--rows-per-file was 6, now 7"),
    ],
)
def test_its_finished_scoring_is_not_taken_for_another(
    config: ScoreConfig, finished: Path, changes: dict[str, object], difference: str
) -> None:
    other = ScoreConfig(**{**vars(config), **changes})

    with pytest.raises(OutputError, match=difference):
        finished_record(other)


def test_its_finished_scoring_of_another_catalog_is_refused(
    config: ScoreConfig, finished: Path
) -> None:
    table = pq.read_table(config.catalog)
    other = [f"./{image}" for image in table["image"].to_pylist()]
    pq.write_table(table.set_column(1, "image", pa.array(other)), config.catalog)

    with pytest.raises(OutputError, match="the catalog's content was 7b5d68355fbe9961"):
        finished_record(config)


def test_its_unfinished_scoring_keeps_its_cut(
    config: ScoreConfig, unfinished: Path
) -> None:
    plan = planned(config)

    assert begin_output(config.output, OUTPUT, plan.resume_key(), resume=True)
    assert (plan.ledger.rows_per_chunk, plan.ledger.rows_per_file) == (4, 8)
    assert Remaining(plan.ledger).chunks_to_do() == [3, 4]


def test_its_unfinished_scoring_is_resumed_and_keeps_what_was_done(
    config: ScoreConfig, unfinished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "load_engine", FirstClassEngine)
    plan = planned(config)
    todo = Remaining(plan.ledger).chunks_to_do()
    in_one_stage(plan, CountingLog(), pa.table({"chunk": todo}))
    for file in Remaining(plan.ledger).whole_files():
        assert plan.ledger.finish_file(file, {}) == []
    record = record_run(plan, WorkDone(8, {}), seconds=1.0)
    finish_output(config.output)

    table = pd.read_parquet(unfinished)
    before = pd.concat([pd.read_parquet(WRITTEN / name) for name in FILES])
    pd.testing.assert_frame_equal(
        table[:12], before.reset_index(drop=True)[:12], check_dtype=False
    )
    assert table["object_id"].tolist() == before["object_id"].tolist()
    assert set(table["predicted_class"][12:].dropna()) == {"cigar"}
    assert (record.num_rows, record.num_failed, record.format_version) == (20, 2, 2)
    assert json.loads((unfinished / "_run.json").read_text())["format_version"] == 2
    assert finished_record(config) == record  # also with files of the old cut


def test_an_output_of_a_newer_version_says_what_to_install(
    config: ScoreConfig, finished: Path
) -> None:
    path = finished / "_run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": 3}))

    with pytest.raises(
        OutputError, match=r"_run\.json is of format_version 3; .* 1 to"
    ):
        finished_record(config)

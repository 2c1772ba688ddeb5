"""Whole runs of detection: every tile once, whatever the images hold."""

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from own_files import files_of_others
from PIL import Image
from wide_frames import detect_all

from galaxy_models.cli.command_line import run_job
from galaxy_models.cli.detect import detect_sources
from galaxy_models.cluster.resources import Resources
from galaxy_models.config import DetectConfig
from galaxy_models.detection import RunRecord, detect, pipeline, worker
from galaxy_models.detection.plan import (
    MAX_LOCAL_PIXELS,
    choose_tiles_per_chunk,
    ends_sooner_here,
)
from galaxy_models.detection.request import OUTPUT, open_request
from galaxy_models.errors import (
    CatalogError,
    DetectionError,
    ModelFolderError,
    OutputError,
    StorageError,
)
from galaxy_models.simulation import Frames, WideSky, write_frames
from galaxy_models.storage.output_folder import begin_output

SKY = WideSky(num_galaxies=6, num_stars=4, galaxy_r_magnitudes=(16, 19))
NUM_TILES = 3 + 4  # of the good images; see ``survey``

Run = Callable[..., RunRecord]


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    folder = tmp_path_factory.mktemp("frames")
    return write_frames(folder, 1, width=640, height=256, seed=3, sky=SKY)


@pytest.fixture(scope="module")
def survey(frames: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images: three tiles with a WCS, four without, and three broken."""
    folder = tmp_path_factory.mktemp("survey")
    fits = (frames.images("fits") / "frame-0000.fits").read_bytes()
    (folder / "a.fits").write_bytes(fits)
    jpeg = Image.open(frames.images("jpg") / "frame-0000.jpg")
    jpeg.resize((512, 512)).save(folder / "b.png")
    (folder / "c.fits").write_bytes(fits[: len(fits) // 2])
    (folder / "d.jpg").write_bytes(b"<html>")
    good = (frames.images("jpg") / "frame-0000.jpg").read_bytes()
    (folder / "e.jpg").write_bytes(good[: len(good) // 2])  # its header is well
    return folder


def config_for(images: Path, output: Path, **changes: Any) -> DetectConfig:
    settings: dict[str, Any] = {
        "images": str(images),
        "output": str(output),
        "tile_size": 256,
        "tiles_per_file": 4,
        "max_failed_fraction": 1.0,
        "plan": "local",
    }
    return DetectConfig(**(settings | changes))


@pytest.fixture(scope="module")
def detected(survey: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("detections") / "out"
    detect(config_for(survey, output))
    return output


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.parquet"))
    }


def test_each_images_sources_are_those_of_its_tiles(
    detected: Path, survey: Path
) -> None:
    table = pd.read_parquet(detected)
    assert table["object_id"].is_unique
    for name in ("a.fits", "b.png"):
        of_image = table[table["image"] == name].reset_index(drop=True)
        expected = detect_all(survey / name, core_px=256)
        assert len(of_image) == len(expected) > 5
        measured = ["x", "y", "flux", "half_light_radius", "probability_round"]
        pd.testing.assert_frame_equal(of_image[measured], expected[measured])


def test_broken_images_are_failed_rows_with_a_reason(detected: Path) -> None:
    table = pd.read_parquet(detected)
    failed = table[table["status"] == "failed"]
    reasons = failed["error"].str.partition(":")[0].groupby(failed["image"]).agg(list)
    assert reasons.to_dict() == {
        "c.fits": ["truncated"],
        "d.jpg": ["not_an_image"],
        "e.jpg": ["truncated"] * 3,  # one for each tile
    }
    assert failed["predicted_class"].isna().all()
    assert (failed[["parent_id", "num_children", "flags"]] == 0).all(axis=None)


def test_the_files_say_units_and_the_model(detected: Path) -> None:
    path = next(iter(sorted(detected.glob("*.parquet"))))
    metadata = pq.read_schema(path).metadata
    assert metadata[b"galaxy_batch.model"] == b"galaxy-zoo-detect"
    table = Table.read(path, format="parquet.votable")
    assert str(table["ra"].unit) == "deg"
    assert str(table["x"].unit) == "pix"
    assert table["flux"].meta["ucd"] == "phot.flux"


def test_the_run_record_counts_what_is_there(detected: Path) -> None:
    record = json.loads((detected / "_run.json").read_text())
    table = pd.read_parquet(detected)
    is_ok = table["status"] == "ok"
    assert record["num_images"] == 5
    assert record["num_tiles"] == record["num_tiles_this_run"] == NUM_TILES + 1 + 1 + 3
    assert record["num_rows"] == len(table)
    assert record["num_failed"] == 5
    assert record["num_sources"] == (is_ok & table["is_primary"]).sum()
    assert record["num_without_position"] == (is_ok & table["ra"].isna()).sum() > 0
    assert record["failure_reasons"] == {"truncated": 4, "not_an_image": 1}
    assert record["classes"] == table["predicted_class"].value_counts().to_dict()
    assert {path.name for path in detected.iterdir()} == {
        "_run.json",
        *(f"part-{number:06d}.parquet" for number in range(3)),
    }
    assert files_of_others(detected, OUTPUT) == []


@pytest.mark.slow
def test_actors_on_ray_write_the_same_bytes(
    ray_here: None, survey: Path, detected: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    detect(config_for(survey, output, plan="ray", num_workers=2))
    assert digests(output) == digests(detected)


def test_a_run_that_was_lost_is_resumed_and_writes_the_same_bytes(
    survey: Path, detected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_for(survey, tmp_path / "out")
    done: list[int] = []
    whole = worker.TileWorker.do_chunk

    def do_some(self: worker.TileWorker, chunk: int) -> Any:
        if len(done) == 5:
            raise StorageError("the store is away.")
        done.append(chunk)
        return whole(self, chunk)

    with monkeypatch.context() as fails:
        fails.setattr(worker.TileWorker, "do_chunk", do_some)
        with pytest.raises(StorageError, match="the store is away"):
            detect(config)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 1

    record = detect(config)

    assert record.num_tiles_this_run == record.num_tiles - 5
    assert digests(tmp_path / "out") == digests(detected)


def test_a_finished_run_has_nothing_to_do(
    survey: Path,
    detected: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = digests(detected)
    with caplog.at_level(logging.INFO):
        record = detect(config_for(survey, detected))
    assert "is finished already: nothing to do" in caplog.text
    assert "have no ra and dec: their images have no WCS" in caplog.text
    assert record.num_images == 5
    assert digests(detected) == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tile_size": 384}, "--tile-size was 256, now 384"),
        ({"fits_stretch": 2.0}, "--fits-stretch was 0.5, now 2.0"),
        ({"tiles_per_file": 5}, "--tiles-per-file was 4, now 5"),
    ],
)
def test_another_request_is_refused_with_what_differs(
    changes: dict[str, Any], named: str, survey: Path, detected: Path
) -> None:
    with pytest.raises(OutputError, match=f"another detection: {named}"):
        detect(config_for(survey, detected, **changes))


def test_detections_of_an_earlier_version_are_not_continued(
    survey: Path, detected: Path, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    begin_output(str(begun), OUTPUT, {"format_version": 2})
    with pytest.raises(
        OutputError, match="format_version 2; .* reads 3. .*--overwrite"
    ):
        detect(config_for(survey, begun))
    finished = tmp_path / "finished"
    shutil.copytree(detected, finished)
    record = (finished / "_run.json").read_text()
    earlier = record.replace('"format_version": 3', '"format_version": 2')
    (finished / "_run.json").write_text(earlier)
    with pytest.raises(OutputError, match="format_version was 2, now 3; .*--overwrite"):
        detect(config_for(survey, finished))


def test_an_image_of_another_size_is_another_request(
    frames: Frames, tmp_path: Path
) -> None:
    images, output = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    Image.new("RGB", (300, 300)).save(images / "a.png")
    detect(config_for(images, output))
    Image.new("RGB", (300, 301)).save(images / "a.png")
    with pytest.raises(OutputError, match="the images' sizes was"):
        detect(config_for(images, output))


def test_images_without_sources_are_a_table_of_no_rows(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (300, 300), (3, 3, 3)).save(images / "a.png")
    record = detect(config_for(images, tmp_path / "out"))
    assert (record.num_rows, record.num_sources, record.num_failed) == (0, 0, 0)
    table = pd.read_parquet(tmp_path / "out")
    assert len(table) == 0
    assert "probability_spiral" in table.columns
    assert str(table["object_id"].dtype) == "int64"


def test_a_table_names_its_images(frames: Frames, tmp_path: Path) -> None:
    catalog = tmp_path / "frames.csv"
    path = frames.images("jpg") / "frame-0000.jpg"
    catalog.write_text(f"frame_id,image,field\n7,{path},1\n")
    detect(config_for(catalog, tmp_path / "by_path"))
    assert set(pd.read_parquet(tmp_path / "by_path")["image"]) == {str(path)}
    detect(config_for(catalog, tmp_path / "by_id", id_column="frame_id"))
    assert set(pd.read_parquet(tmp_path / "by_id")["image"]) == {"7"}


def test_an_image_that_changed_since_the_work_began_is_a_failed_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (300, 300)).save(images / "a.png")
    begin = pipeline._begin

    def begin_late(plan: Any) -> None:
        begin(plan)
        Image.new("RGB", (200, 200)).save(images / "a.png")

    monkeypatch.setattr(pipeline, "_begin", begin_late)
    detect(config_for(images, tmp_path / "out", tile_size=512))
    (error,) = pd.read_parquet(tmp_path / "out")["error"]
    assert error == "unreadable: 200×200 px, but 300×300 when the work began"


def test_too_many_failed_tiles_end_the_job(survey: Path, tmp_path: Path) -> None:
    config = config_for(survey, tmp_path / "out", max_failed_fraction=0.1)
    with pytest.raises(DetectionError, match="2 of 12 tiles failed so far"):
        detect(config)
    with pytest.raises(DetectionError, match=r"5 of 12 tiles failed \(.*\), more"):
        detect(dataclasses.replace(config, max_failed_fraction=0.4))


def test_what_cannot_serve_is_refused(survey: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog at .*none; check .*--images"):
        detect(config_for(tmp_path / "none", tmp_path / "out"))
    with pytest.raises(ModelFolderError, match="no model folder at .*/none"):
        detect(config_for(survey, tmp_path / "out", model=str(tmp_path / "none")))
    assert not list(tmp_path.glob("out/*.parquet"))


def test_small_work_ends_sooner_without_ray(survey: Path, tmp_path: Path) -> None:
    laptop = Resources(cpus_by_host=(4,))
    request = open_request(
        config_for(survey, tmp_path / "out", plan="auto"), str(tmp_path / "staging")
    )
    assert ends_sooner_here(request, laptop)
    assert not ends_sooner_here(request, Resources(cpus_by_host=(4, 4)))
    asked = dataclasses.replace(request.config, num_workers=2)
    assert not ends_sooner_here(dataclasses.replace(request, config=asked), laptop)
    shapes = np.array([[MAX_LOCAL_PIXELS, 1], [1, 1]], np.int32)
    vast = dataclasses.replace(request.tiles, shapes=shapes)
    assert not ends_sooner_here(dataclasses.replace(request, tiles=vast), laptop)


def test_chunks_are_few_enough_and_keep_all_actors_busy() -> None:
    config = DetectConfig(images="a", output="b", tiles_per_file=8)
    assert choose_tiles_per_chunk(config, 10, 2) == 1
    assert choose_tiles_per_chunk(config, 100, 2) == 4
    assert choose_tiles_per_chunk(config, 10**6, 2) == 8


def test_the_job_sums_itself_up(
    survey: Path, detected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--images", str(survey), "--output", str(detected), "--tile-size", "256"]
    flags += ["--tiles-per-file", "4", "--max-failed-fraction", "1"]
    assert run_job(DetectConfig, detect_sources, None, flags, remedy="again") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["status"], summary["images"], summary["failed"]) == ("done", 5, 5)
    assert summary["sources"] > 10

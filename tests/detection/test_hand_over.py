"""What is made of detections: stamps, regions, overlays."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.config import DetectConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection import detect
from galaxy_models.detection.hand_over import check_folders
from galaxy_models.detection.overlay import galaxies_to_show
from galaxy_models.errors import ConfigError, OutputError
from galaxy_models.images.decode import read_images
from galaxy_models.simulation import WideSky, write_frames
from galaxy_models.simulation.frames import FrameFormat

SKY = WideSky(8, 4, 0, blend_fraction=0, galaxy_r_magnitudes=(15, 17))
FORMATS: tuple[FrameFormat, ...] = ("fits", "jpg")
KINDS = ("stamps", "regions", "overlay")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Detections in a FITS and a JPEG of one sky, and all that is made of them."""
    folder = tmp_path_factory.mktemp("made")
    frames = write_frames(folder / "frames", 1, width=384, height=256, seed=2, sky=SKY)
    (folder / "images").mkdir()
    for kind in FORMATS:
        name = f"frame-0000.{kind}"
        (frames.images(kind) / name).rename(folder / "images" / name)
    detect(config_for(folder))
    return folder


def config_for(folder: Path, **changes: Any) -> DetectConfig:
    flags: dict[str, Any] = {
        "images": str(folder / "images"),
        "output": str(folder / "found"),
        "plan": "local",
        **{kind: str(folder / kind) for kind in KINDS},
    }
    return DetectConfig(**(flags | changes))


def with_class(folder: Path) -> pd.DataFrame:
    rows = pd.read_parquet(folder / "found")
    return rows[rows["is_primary"] & rows["predicted_class"].notna()]


def test_stamps_are_a_catalog_of_the_sources_that_have_a_class(made: Path) -> None:
    stamps, expected = pd.read_parquet(made / "stamps"), with_class(made)
    assert stamps["object_id"].tolist() == expected["object_id"].tolist()
    assert stamps["predicted_class"].tolist() == expected["predicted_class"].tolist()
    pixels, errors = read_images(stamps["image_bytes"].tolist(), "/", DecodeRule(64))
    assert not any(errors)
    middle = pixels[:, 24:40, 24:40].mean(axis=(1, 2, 3))
    edge = pixels[:, :8].mean(axis=(1, 2, 3))  # where a neighbour may stand
    assert (middle > 1.5 * edge).mean() > 0.8


def test_stamps_are_the_same_way_up_in_fits_and_jpeg(made: Path) -> None:
    table = pd.read_parquet(made / "stamps")
    stamps = dict(zip(table["object_id"], map(grey, table["image_bytes"]), strict=True))
    rows = with_class(made)
    in_fits = rows[rows["image"].str.endswith("fits")]
    in_jpeg = rows[rows["image"].str.endswith("jpg")]
    places = in_fits[["x", "y"]].to_numpy()
    likeness = []
    for one, x, y in zip(in_jpeg["object_id"], in_jpeg["x"], in_jpeg["y"], strict=True):
        gaps = np.hypot(*(places - (x, 255 - y)).T)
        if gaps.min() < 1:
            other = in_fits["object_id"].tolist()[gaps.argmin()]
            jpeg, fits = stamps[one], stamps[other]
            likeness.append((like(jpeg, fits), like(jpeg, fits[::-1])))
    as_it_is, mirrored = np.mean(likeness, axis=0)
    assert len(likeness) >= 5
    assert as_it_is > mirrored + 0.1


def grey(jpeg: bytes) -> NDArray[np.float64]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), float)


def like(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_regions_are_on_the_sky_or_count_from_below(made: Path) -> None:
    rows = pd.read_parquet(made / "found")
    rows = rows[rows["is_primary"]]
    on_sky = (made / "regions" / "000000-frame-0000.fits.reg").read_text().splitlines()
    in_pixels = (made / "regions" / "000001-frame-0000.jpg.reg").read_text()
    first = rows[rows["image"].str.endswith("fits")].iloc[0]
    assert on_sky[2] == "icrs"
    assert on_sky[3].startswith(f"circle({first['ra']:.7f},{first['dec']:.7f},")
    of_jpeg = rows[rows["image"].str.endswith("jpg")]
    assert in_pixels.splitlines()[2] == "image"
    assert in_pixels.count("circle(") == len(of_jpeg)
    x, y = of_jpeg[["x", "y"]].iloc[0]
    assert f"circle({x + 1:.2f},{256 - y:.2f}," in in_pixels


def test_an_overlay_has_boxes_around_galaxies_and_a_legend(made: Path) -> None:
    names = sorted(path.name for path in (made / "overlay").glob("*.jpg"))
    assert names == ["000000-frame-0000.fits.jpg", "000001-frame-0000.jpg.jpg"]
    fits, jpeg = (Image.open(made / "overlay" / name) for name in names)
    assert fits.size == jpeg.size == (384, 256 + 22)
    plain = np.asarray(Image.open(made / "images" / "frame-0000.jpg"), int)
    drawn = np.asarray(jpeg, int)
    assert np.median(np.abs(drawn[:256] - plain)) <= 3
    assert (np.abs(drawn[:256] - plain).max(axis=2) > 60).sum() > 100
    assert drawn[256:].max() > 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_in_which_people_left_files_is_refused_before_any_work(
    kind: str, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made / kind, tmp_path / kind)
    config = config_for(made, **{kind: str(tmp_path / kind)})
    check_folders(config)
    (tmp_path / kind / "notes.txt").touch()

    with pytest.raises(OutputError, match=f"--{kind} .* holds more .*: notes.txt; mov"):
        check_folders(config)


def test_stars_and_low_scores_have_no_box() -> None:
    rows = pd.DataFrame(
        {
            "is_primary": [True, True, True, True, False],
            "predicted_class": ["spiral", "star", "round", None, "spiral"],
            "score": [0.9, 0.1, 0.4, np.nan, 0.9],
        }
    )
    assert galaxies_to_show(rows).index.tolist() == [0]
    assert len(galaxies_to_show(rows.assign(score=np.nan))) == 2  # five classes only


def test_what_is_there_is_not_made_again(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.reg")}
    detect(config_for(made))
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*.reg")} == before
    (made / "regions" / "_regions.json").write_text("{}")
    detect(config_for(made))
    assert min(path.stat().st_mtime_ns for path in before) > max(before.values())


def test_folders_that_cannot_serve_are_refused_before_any_work(
    made: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").touch()
    output = str(tmp_path / "out")
    with pytest.raises(OutputError, match=f"--overlay {tmp_path} holds something else"):
        detect(config_for(made, output=output, overlay=str(tmp_path)))
    assert not Path(output).exists()
    with pytest.raises(OutputError, match="--overlay .* holds something else"):
        detect(config_for(made, overlay=str(made / "regions"), regions=None))
    with pytest.raises(
        ConfigError, match="--overlay x: each needs a folder of its own"
    ):
        config_for(made, regions="x", overlay="x")
    with pytest.raises(ConfigError, match=r"--stamps .*/s: must not lie in --output"):
        config_for(made, stamps=str(made / "found" / "s"))

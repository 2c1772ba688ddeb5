"""Wide frames: what the truth says is what the files show."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ConfigError
from galaxy_models.simulation import Frames, WideSky, write_frames
from galaxy_models.simulation.artefacts import (
    SATURATION,
    add_bright_star,
    add_trail,
    overflow,
)
from galaxy_models.simulation.frames import STRETCHES
from galaxy_models.simulation.wide_sky import draw_frame

SKY = WideSky(
    num_galaxies=3,
    num_stars=2,
    num_bright_stars=1,
    num_trails=1,
    galaxy_r_magnitudes=(15.5, 17),
)
SIZE: Any = {"width": 224, "height": 160}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    return write_frames(
        tmp_path_factory.mktemp("frames"),
        num_frames=2,
        seed=1,
        sky=SKY,
        formats=("fits", "fits.fz", "jpg"),
        **SIZE,
    )


def cube_of(frames: Frames, name: str = "frame-0000.fits") -> NDArray[np.float32]:
    return np.asarray(fits.getdata(frames.images("fits") / name))


def place_of(source: "pd.Series[Any]") -> tuple[float, float]:
    return float(source["x"]), float(source["y"])


def centroid(light: NDArray[Any], place: "pd.Series[Any]") -> tuple[float, float]:
    """Middle of the light within 4 px of a place."""
    x, y = place_of(place)
    rows, columns = np.mgrid[: light.shape[0], : light.shape[1]]
    weights = light * (np.hypot(columns - x, rows - y) < 4)
    weights /= weights.sum()
    return float((weights * columns).sum()), float((weights * rows).sum())


def test_every_file_lists_every_source(frames: Frames) -> None:
    truth = pd.read_parquet(frames.truth)
    assert set(truth.groupby("image").size()) == {7}
    names = {path.name for path in frames.folder.rglob("frame-*")}
    assert set(truth["image"]) == names
    assert truth["kind"].value_counts().to_dict() == {
        "galaxy": 18,
        "star": 18,
        "trail": 6,
    }
    assert (truth["label"].notna() == (truth["kind"] == "galaxy")).all()


def test_a_source_lies_where_the_truth_says(tmp_path: Path) -> None:
    alone = WideSky(1, 0, 0, galaxy_r_magnitudes=(15.5, 15.6))
    frames = write_frames(tmp_path, 1, seed=3, sky=alone, **SIZE)
    in_fits, in_jpeg = (row for _, row in pd.read_parquet(frames.truth).iterrows())
    found = centroid(cube_of(frames)[1], in_fits)
    assert found == pytest.approx(place_of(in_fits), abs=0.4)
    picture = np.asarray(Image.open(frames.images("jpg") / "frame-0000.jpg"))
    found = centroid(picture.mean(axis=2), in_jpeg)
    assert found == pytest.approx(place_of(in_jpeg), abs=0.4)


def test_light_within_the_radii_is_what_their_names_say() -> None:
    alone = WideSky(1, 0, 0, galaxy_r_magnitudes=(15.5, 15.6))
    frame, (galaxy,) = draw_frame(256, 256, alone, np.random.default_rng(11))
    rows, columns = np.mgrid[:256, :256]
    radius = np.hypot(columns - galaxy.x, rows - galaxy.y)
    assert min(galaxy.x, galaxy.y, 255 - galaxy.x, 255 - galaxy.y) > 60
    flux = frame[1][radius < 60].sum()
    for limit, share in ((galaxy.half_light_radius_px, 0.5), (galaxy.r90_px, 0.9)):
        assert frame[1][radius < limit].sum() / flux == pytest.approx(share, abs=0.05)


def test_the_sky_coordinates_are_those_of_the_files_own_wcs(frames: Frames) -> None:
    truth = pd.read_parquet(frames.truth)
    truth = truth[truth["image"] == "frame-0001.fits"]
    header = fits.getheader(frames.images("fits") / "frame-0001.fits")
    ra, dec = WCS(header).celestial.all_pix2world(truth["x"], truth["y"], 0)
    np.testing.assert_allclose(ra, truth["ra"], atol=1e-7)
    np.testing.assert_allclose(dec, truth["dec"], atol=1e-7)


def test_compressed_tiles_hold_the_same_light(frames: Frames) -> None:
    with fits.open(frames.images("fits.fz") / "frame-0000.fits.fz") as hdus:
        packed = np.asarray(hdus[1].data)
    np.testing.assert_allclose(packed, cube_of(frames), atol=0.01)


def test_jpegs_are_stretched_in_turn(tmp_path: Path) -> None:
    dark = WideSky(0, 0, 0)
    frames = write_frames(tmp_path, 3, sky=dark, formats=("jpg",), **SIZE)
    levels = [
        np.asarray(Image.open(path)).mean()
        for path in sorted(frames.images("jpg").iterdir())
    ]
    softest_last = sorted(range(3), key=lambda i: STRETCHES[i][0])
    assert sorted(range(3), key=lambda i: -levels[i]) == softest_last


def test_the_same_seed_gives_the_same_frames(frames: Frames, tmp_path: Path) -> None:
    again = write_frames(tmp_path, 1, seed=1, sky=SKY, formats=("fits",), **SIZE)
    assert (cube_of(again) == cube_of(frames)).all()
    other = write_frames(tmp_path, 1, seed=2, sky=SKY, formats=("fits",), **SIZE)
    assert (cube_of(other) != cube_of(frames)).any()


def test_a_full_wells_charge_runs_along_its_column() -> None:
    frame = np.zeros((3, 200, 64), np.float32)
    add_bright_star(frame, (30.2, 90.7), np.full(3, 1e4, np.float32), 3.0)
    before = frame.sum()
    overflow(frame)
    assert frame.max() == np.float32(SATURATION)
    assert frame.sum() == pytest.approx(before, rel=1e-4)
    is_full = frame[1] == np.float32(SATURATION)
    assert is_full.any(axis=1).sum() > 2 * is_full.any(axis=0).sum()


def test_spikes_leave_a_bright_star_diagonally() -> None:
    frame = np.zeros((3, 161, 161), np.float32)
    add_bright_star(frame, (80, 80), np.full(3, 1e5, np.float32), 3.0)
    assert frame[1, 110, 110] > 2 * frame[1, 80, 80 + 42]


def test_a_trail_crosses_the_whole_frame() -> None:
    frame = np.zeros((3, 50, 80), np.float32)
    add_trail(frame, (40, 25), np.pi / 4, 1.0)
    assert (frame[1].max(axis=1) > 0.9).all()
    assert np.argmax(frame[1, 0]) == 15
    assert np.argmax(frame[1, 49]) == 64


def test_crowded_sources_stand_close_to_others() -> None:
    sky = WideSky(15, 15, 0, blend_fraction=1.0)
    _, truth = draw_frame(400, 400, sky, np.random.default_rng(0))
    places = np.array([(one.x, one.y) for one in truth])
    distances = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, np.inf)
    assert distances.min(axis=1).max() <= 15


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: write_frames(path, 0), "num_frames is 0"),
        (lambda path: write_frames(path, 1, seed=-1), "seed is -1"),
        (lambda path: write_frames(path, 1, width=63), "63×384 px"),
        (lambda path: write_frames(path, 1, formats=()), "formats is .*fits, fits.fz"),
        (lambda _: WideSky(num_stars=-1), "counts of sources .*num_stars=-1"),
        (lambda _: WideSky(blend_fraction=1.1), "blend_fraction .*1.1"),
        (lambda _: WideSky(galaxy_r_magnitudes=(20, 19)), "galaxy_r_magnitudes"),
    ],
)
def test_values_that_make_no_sense_are_refused(
    make: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path)

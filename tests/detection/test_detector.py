"""Rows of a tile: found where the truth says, once, measured, classified or not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sep
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from wide_frames import detect_all, fits_image, nearest, shipped_detector

from galaxy_models.detection.noise import measure_noise
from galaxy_models.detection.tiles import Grid
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide import open_wide_image
from galaxy_models.simulation import Frames, WideSky, write_frames
from galaxy_models.tables.detection_schema import (
    AT_EDGE,
    BLENDED,
    NEAR_BRIGHT_STAR,
    NOT_DEBLENDED,
    SATURATED,
    TOO_SMALL,
    detections_schema,
)

SKY = WideSky(
    num_galaxies=14,
    num_stars=14,
    num_bright_stars=1,
    blend_fraction=0,
    galaxy_r_magnitudes=(15.5, 19.5),
)
SEED = 7


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    folder = tmp_path_factory.mktemp("frames")
    return write_frames(folder, 1, width=640, height=512, seed=SEED, sky=SKY)


@pytest.fixture(scope="module")
def in_fits(frames: Frames) -> pd.DataFrame:
    return detect_all(frames.images("fits") / "frame-0000.fits")


@pytest.fixture(scope="module")
def in_jpeg(frames: Frames) -> pd.DataFrame:
    return detect_all(frames.images("jpg") / "frame-0000.jpg")


def galaxies(frames: Frames, name: str) -> pd.DataFrame:
    """True galaxies that the frame's edge does not cut."""
    truth = pd.read_parquet(frames.truth)
    is_inside = truth["x"].between(15, 624) & truth["y"].between(15, 496)
    is_galaxy = truth["kind"] == "galaxy"
    return truth[(truth["image"] == name) & is_galaxy & is_inside]


def test_rows_have_the_columns_of_the_contract() -> None:
    schema = detections_schema(["round", "star"])
    assert schema.names == [
        *("object_id", "image", "ra", "dec", "x", "y", "x_error", "y_error"),
        *("xmin", "xmax", "ymin", "ymax", "a", "b", "position_angle", "num_pixels"),
        *("flux", "flux_error", "snr", "half_light_radius", "r90"),
        "size_over_psf",
        *("background", "parent_id", "num_children", "is_primary", "flags"),
        "predicted_class",
        *("probability_round", "probability_star", "score", "status", "error"),
    ]
    assert all(field.metadata[b"ucd"] for field in schema)
    assert shipped_detector().schema.names[-3:] == ["score", "status", "error"]


def test_galaxies_are_found_where_the_truth_says(
    frames: Frames, in_fits: pd.DataFrame, in_jpeg: pd.DataFrame
) -> None:
    for found, name in ((in_fits, "frame-0000.fits"), (in_jpeg, "frame-0000.jpg")):
        distances, _ = nearest(galaxies(frames, name), found)
        assert (distances < 3).mean() >= 0.9
        assert np.median(distances) < 0.2


def test_nothing_is_found_where_nothing_is(
    frames: Frames, in_fits: pd.DataFrame
) -> None:
    truth = pd.read_parquet(frames.truth)
    truth = truth[truth["image"] == "frame-0000.fits"]
    sources = in_fits[in_fits["is_primary"] & (in_fits["snr"] > 5)]
    distances, _ = nearest(sources, truth)
    assert (distances < 5).mean() >= 0.95


def test_ids_are_distinct_and_rows_whole(in_fits: pd.DataFrame) -> None:
    assert in_fits["object_id"].is_unique
    assert (in_fits["object_id"] > 0).all()
    assert (in_fits["status"] == "ok").all()
    assert in_fits["error"].isna().all()
    measured = in_fits.loc[:, "x":"background"].drop(columns="position_angle")
    assert np.isfinite(measured.to_numpy(float)).all()


def test_tiles_find_each_source_once_and_the_same_as_the_whole(
    frames: Frames, in_fits: pd.DataFrame
) -> None:
    tiled = detect_all(frames.images("fits") / "frame-0000.fits", core_px=256)
    assert tiled["object_id"].is_unique
    assert set(tiled["object_id"]) == set(in_fits["object_id"])
    sources = tiled[tiled["parent_id"] == 0]
    pairs = sources[["x", "y"]].to_numpy()
    gaps = np.hypot(*(pairs[:, None] - pairs[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    assert gaps.min() > 2


def test_sky_positions_are_astropys(frames: Frames, in_fits: pd.DataFrame) -> None:
    wcs = WCS(fits.getheader(frames.images("fits") / "frame-0000.fits")).celestial
    ra, dec, x, y = in_fits[["ra", "dec", "x", "y"]].to_numpy().T
    places, expected = SkyCoord(ra, dec, unit="deg"), wcs.pixel_to_world(x, y)
    assert places.separation(expected).mas.max() < 1


def test_without_a_wcs_nothing_is_guessed(in_jpeg: pd.DataFrame) -> None:
    assert in_jpeg[["ra", "dec", "position_angle"]].isna().all(axis=None)


def test_brightness_is_the_truths(frames: Frames, in_fits: pd.DataFrame) -> None:
    truth = galaxies(frames, "frame-0000.fits")
    distances, indices = nearest(truth, in_fits)
    found = in_fits.iloc[indices[distances < 1]]
    expected = 22.5 - truth["r_magnitude"][distances < 1]
    magnitudes = 2.5 * np.log10(found["flux"].to_numpy())
    # The flux is of all bands, so that a galaxy's colour shifts it.
    assert np.corrcoef(magnitudes, expected)[0, 1] > 0.98
    radii = (
        found["half_light_radius"]
        / truth["half_light_radius_px"][distances < 1].to_numpy()
    )
    assert np.median(radii) == pytest.approx(1, abs=0.15)


def test_small_sources_have_no_class_and_say_so(in_fits: pd.DataFrame) -> None:
    is_small = (in_fits["flags"] & TOO_SMALL) > 0
    assert 0.2 < is_small.mean() < 0.9
    assert (in_fits["predicted_class"].isna() == is_small).all()
    assert (in_fits["size_over_psf"] < 1.5).equals(is_small)
    probabilities = in_fits.filter(like="probability_")
    assert (probabilities.isna().any(axis=1) == is_small).all()
    np.testing.assert_allclose(probabilities[~is_small].sum(axis=1), 1, atol=1e-3)
    assert (in_fits["score"].isna() == is_small).all()


def test_stars_are_as_large_as_the_seeing(
    frames: Frames, in_fits: pd.DataFrame
) -> None:
    truth = pd.read_parquet(frames.truth)
    is_star = (truth["kind"] == "star") & (truth["r_magnitude"].between(14, 20))
    stars = truth[(truth["image"] == "frame-0000.fits") & is_star]
    distances, indices = nearest(stars, in_fits)
    sizes = in_fits["size_over_psf"].iloc[indices[distances < 1]]
    assert sizes.median() == pytest.approx(1, abs=0.2)


def test_galaxies_have_higher_scores_than_stars(
    frames: Frames, in_fits: pd.DataFrame, in_jpeg: pd.DataFrame
) -> None:
    truth = pd.read_parquet(frames.truth)
    scores: dict[str, list[float]] = {"galaxy": [], "star": []}
    for found, name in ((in_fits, "frame-0000.fits"), (in_jpeg, "frame-0000.jpg")):
        sources = truth[truth["image"] == name]
        classified = found[found["is_primary"] & found["score"].notna()]
        distances, indices = nearest(classified, sources)
        kinds = sources["kind"].to_numpy()[indices]
        for score, kind, gap in zip(classified["score"], kinds, distances, strict=True):
            scores[kind] += [score] if gap < 8 else []  # full wells have no peak
    assert np.mean(np.array(scores["galaxy"]) > 0.5) > 0.8
    assert len(scores["star"]) > 0
    assert np.mean(np.array(scores["star"]) < 0.5) > 0.5


def test_a_saturated_star_is_flagged_and_so_is_what_stands_on_its_light(
    frames: Frames, in_fits: pd.DataFrame
) -> None:
    truth = pd.read_parquet(frames.truth)
    star = truth[truth["is_saturated"] & (truth["image"] == "frame-0000.fits")]
    distances, indices = nearest(star, in_fits)
    assert distances.max() < 8  # a full well has no peak
    assert in_fits["flags"].iloc[indices[0]] & SATURATED
    near = in_fits[(in_fits["flags"] & NEAR_BRIGHT_STAR) > 0]
    assert ((near["flags"] & SATURATED) == 0).all()


def blob(height: int, width: int, x: float, y: float, sigma: float = 2.0) -> Any:
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def noisy(*blobs: Any) -> Any:
    shape = blobs[0].shape
    noise = np.random.default_rng(0).standard_normal(shape)
    return (noise + sum(blobs)).astype(np.float32)


def test_a_pair_is_kept_as_a_parent_with_its_children() -> None:
    pair = 100 * blob(150, 150, 70, 75, 4), 30 * blob(150, 150, 84, 75, 2)
    found = detect_all(fits_image(noisy(*pair)))
    parents = found[found["parent_id"] == 0]
    children = found[found["parent_id"] != 0]
    assert parents["num_children"].max() == 2
    (parent,) = parents.loc[parents["num_children"] == 2, "object_id"]
    assert children["parent_id"].tolist() == [parent, parent]
    assert children["num_children"].tolist() == [0, 0]
    assert children["object_id"].is_unique
    assert sorted(children["x"]) == pytest.approx([70, 84], abs=1)


def test_two_alike_are_two_sources_that_are_blended() -> None:
    pair = 100 * blob(150, 150, 70, 75), 90 * blob(150, 150, 78, 75)
    found = detect_all(fits_image(noisy(*pair)))
    bright = found[(found["snr"] > 50) & (found["parent_id"] == 0)]
    assert len(bright) == 2
    assert ((bright["flags"] & BLENDED) > 0).any()


def test_what_the_edge_or_a_gap_cuts_is_flagged() -> None:
    pixels = noisy(
        *(100 * blob(200, 300, x, y) for x, y in ((0, 90), (150, 50), (220, 150)))
    )
    pixels[:, 152:160] = np.nan
    found = detect_all(fits_image(pixels))
    bright = found[found["snr"] > 20].sort_values("x")
    assert ((bright["flags"] & AT_EDGE) > 0).tolist() == [True, True, False]


@pytest.mark.parametrize(
    "pixels",
    [np.full((300, 300), 7, np.float32), np.zeros((300, 300), np.int16)],
)
def test_an_image_of_one_colour_has_no_sources(pixels: Any) -> None:
    assert len(detect_all(fits_image(pixels))) == 0


def test_a_tile_without_values_has_no_sources() -> None:
    pixels = noisy(100 * blob(300, 900, 50, 50))
    pixels[:, 300:] = np.nan
    image = open_wide_image(fits_image(pixels), "/", shipped_detector().rule)
    noise, grid = measure_noise(image), Grid(300, 900, 256)
    last = grid.tile(grid.num_tiles - 1)
    assert len(shipped_detector().detect(image, "a", noise, last)) == 0


def test_an_image_without_any_value_is_unreadable() -> None:
    with pytest.raises(ImageDecodeError, match="unreadable: no pixel is finite"):
        detect_all(fits_image(np.full((300, 300), np.nan, np.float32)))


def test_a_source_in_a_corner_is_found_where_all_else_is_unknown() -> None:
    pixels = noisy(100 * blob(1000, 1000, 320, 320))
    known = np.zeros(pixels.shape, bool)
    known[260:370, 260:370] = True  # between the places where noise is sampled
    pixels[~known] = np.nan
    found = detect_all(fits_image(pixels))
    brightest = found.sort_values("snr").iloc[-1]
    assert brightest[["x", "y"]].tolist() == pytest.approx([320, 320], abs=0.3)


@pytest.fixture
def few_parts() -> Iterator[None]:
    """Deblending gives up sooner, on smaller images."""
    before = sep.get_sub_object_limit()
    sep.set_sub_object_limit(64)
    yield
    sep.set_sub_object_limit(before)


def heavy_tailed(side: int) -> Any:
    return np.random.default_rng(0).exponential(1, (side, side)) ** 4


def test_light_everywhere_is_crowded(few_parts: None) -> None:
    everywhere = heavy_tailed(260).astype(np.float32)
    with pytest.raises(ImageDecodeError, match="^crowded: light in [0-9]+ of 67600"):
        detect_all(fits_image(everywhere))


def test_more_parts_than_can_be_told_apart_are_one_source(few_parts: None) -> None:
    pixels = np.random.default_rng(0).standard_normal((300, 300))
    pixels[:150, :150] += 30 * heavy_tailed(150)
    found = detect_all(fits_image(pixels.astype(np.float32)))
    assert (found["flags"] & NOT_DEBLENDED).all()
    assert found["num_pixels"].max() > 10_000


def test_a_failed_tile_is_a_row_with_a_reason() -> None:
    detector = shipped_detector()
    error = ImageDecodeError("truncated", "half of it")
    rows = [
        detector.failed_row("a.fits", tile, error).to_pylist()[0] for tile in (0, 1)
    ]
    assert rows[0]["object_id"] != rows[1]["object_id"]
    said = {name: rows[0][name] for name in ("image", "status", "error", "x")}
    assert said == {
        "image": "a.fits",
        "status": "failed",
        "error": "truncated: half of it",
        "x": None,
    }


def test_the_shipped_model_sees_a_bright_spiral_as_featured(tmp_path: Path) -> None:
    """The stamp is cut, scaled and turned so that a network knows what it sees."""
    sky = WideSky(6, 0, 0, blend_fraction=0, galaxy_r_magnitudes=(14.5, 15))
    frames = write_frames(tmp_path, 1, width=512, height=512, seed=5, sky=sky)
    found = detect_all(frames.images("fits") / "frame-0000.fits")
    truth = galaxies(frames, "frame-0000.fits")
    _, indices = nearest(truth, found)
    given = found["predicted_class"].iloc[indices].tolist()
    assert sum(map(str.__eq__, given, truth["label"])) >= len(truth) / 2

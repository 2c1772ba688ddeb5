"""The views that a model is asked about, and what the table says of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import views
from PIL import Image

from galaxy_models.models.folder import read_card

SIDE = 106  # a quarter of 424
BLOB = slice(43, 63)


@pytest.fixture
def galaxy() -> views.Pixels:
    """A square of grey levels 200, 100, 50 on black."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[BLOB, BLOB] = 200, 100, 50
    return image


def test_a_cropped_view_is_the_middle_and_a_shrunk_one_keeps_the_frame(
    galaxy: views.Pixels,
) -> None:
    cropped, shrunk = views.cropped(galaxy), views.shrunk(galaxy)
    assert cropped.shape == (80, 80, 3)
    assert (cropped[..., 0] > 0).sum() == (galaxy[..., 0] > 0).sum()
    assert shrunk.shape == galaxy.shape
    assert shrunk.mean() / galaxy.mean() == pytest.approx(views.SCALE**2, rel=0.1)


def test_blur_keeps_the_light_and_noise_has_its_standard_deviation(
    galaxy: views.Pixels,
) -> None:
    blurred = views.blurred(galaxy)
    assert blurred.mean() == pytest.approx(galaxy.mean(), rel=0.01)
    assert blurred[SIDE // 2, BLOB.start - 1, 0] > 0
    flat = np.full((SIDE, SIDE, 3), 128, np.uint8)
    assert views.noisy(flat).std() == pytest.approx(views.NOISE_LEVELS, rel=0.05)


def test_colours_are_scaled_by_band_and_a_poor_jpeg_changes_little(
    galaxy: views.Pixels,
) -> None:
    middle = SIDE // 2, SIDE // 2
    assert views.recoloured(galaxy)[middle].tolist() == [230, 100, 40]
    compressed = views.compressed(galaxy).astype(int)
    assert 0 < np.abs(compressed - galaxy).mean() < 10


def test_the_table_has_every_view_of_the_galaxies_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for index in range(12):
        pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    rows = pd.DataFrame({"object_id": range(12), "label": "spiral"})
    rows["image"] = [f"{index}.png" for index in rows["object_id"]]
    catalog = tmp_path / "galaxies.csv"
    rows.to_csv(catalog, index=False)
    flags = views.Views(catalog=catalog, model="galaxy-zoo")

    views.compare(flags)

    count, _, *table = capsys.readouterr().out.splitlines()
    held_back = views.labelled_galaxies(flags, read_card("galaxy-zoo"))
    assert 0 < len(held_back) < 12
    assert count == f"{len(held_back)} galaxies"
    titles = [line.split("|")[1].strip() for line in table[2:]]
    assert titles == list(views.VIEWS)

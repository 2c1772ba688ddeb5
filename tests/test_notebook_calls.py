"""What a notebook calls: jobs as functions of keywords, and arrays in, a table out."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import galaxy_models as gm
from galaxy_models.errors import ConfigError, InputError
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.models.folder import read_card
from galaxy_models.simulation import Survey

ROOT = Path(__file__).parents[1]


@pytest.fixture
def images(labelled: Survey) -> list[np.ndarray]:
    """Ten galaxies at the size of their files."""
    paths = pd.read_csv(labelled.catalog)["image"][:10].tolist()
    pixels, errors = read_images(paths, str(labelled.catalog.parent), DecodeRule(48))
    assert errors == [None] * 10
    return list(pixels)


def test_arrays_get_the_predictions_of_their_files(
    images: list[np.ndarray], labelled: Survey, tmp_path: Path
) -> None:
    head = pd.read_csv(labelled.catalog).head(10)
    head.to_csv(tmp_path / "ten.csv", index=False)

    table = gm.predict(images)
    record = gm.score(
        catalog=str(tmp_path / "ten.csv"),
        image_root=str(labelled.catalog.parent),
        model="galaxy-zoo",
        output=str(tmp_path / "out"),
    )

    assert record.num_rows == 10
    scored = pd.read_parquet(tmp_path / "out")
    assert table.columns.tolist() == scored.columns.tolist()[1:-2]
    names = table.filter(like="probability_").columns
    np.testing.assert_allclose(table[names], scored[names], atol=0.1)  # resized twice
    np.testing.assert_allclose(table[names].sum(axis=1), 1, atol=0.02)
    assert set(table["predicted_class"]) <= set(read_card("galaxy-zoo").classes)


def test_images_of_any_size_and_grey_ones_are_taken(images: list[np.ndarray]) -> None:
    one, other = images[0], images[1][:, :, 0]
    table = gm.predict([one, np.pad(one, ((0, 0), (9, 9), (0, 0))), other])
    assert len(table) == 3
    same, again = table["confidence"].iloc[:2]  # one square of them both
    assert same == pytest.approx(again, abs=0.01)
    assert len(gm.predict([])) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8,), np.uint8),
    ],
)
def test_what_is_no_8_bit_image_is_refused(wrong: np.ndarray) -> None:
    shape = rf"image 1 is {wrong.dtype} of shape \({wrong.shape[0]},"
    with pytest.raises(InputError, match=shape):
        gm.predict([np.zeros((8, 8), np.uint8), wrong])
    with pytest.raises(InputError, match="image 0 has no pixels"):
        gm.predict([np.zeros((0, 8, 3), np.uint8)])


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((24, 24, 3), "images[None] for one galaxy, or list(images) for 24 grey ones"),
        ((24, 24, 4), "images[None, ..., :3] for one galaxy"),
        ((24, 24), "images[None] for one galaxy."),
    ],
)
def test_one_image_is_not_taken_for_its_rows(
    shape: tuple[int, ...], remedy: str
) -> None:
    message = f"an array of shape {shape} looks like one image, not several: give "
    with pytest.raises(InputError, match=re.escape(message + remedy)):
        gm.predict(np.zeros(shape, np.uint8))


def test_arrays_of_grey_galaxies_are_taken_and_narrow_ones_in_a_list() -> None:
    assert len(gm.predict(np.zeros((2, 24, 24), np.uint8))) == 2
    assert len(gm.predict(list(np.zeros((2, 24, 3), np.uint8)))) == 2


def test_remedies_for_one_image_give_one_row() -> None:
    colour, grey = np.zeros((24, 24, 4), np.uint8), np.zeros((24, 24), np.uint8)
    assert len(gm.predict(colour[None, ..., :3])) == 1
    assert len(gm.predict(grey[None])) == 1


def test_keywords_are_checked_as_flags_are() -> None:
    with pytest.raises(ConfigError, match="--batch-size 0"):
        gm.score(catalog="a.csv", model="m", output="o", batch_size=0)
    with pytest.raises(ConfigError, match="--epochs 0"):
        gm.fit(catalog="a.csv", output="o", epochs=0)
    with pytest.raises(TypeError, match="no_such_flag"):
        gm.evaluate(predictions="p", output="o", no_such_flag=1)
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        gm.scores  # noqa: B018


def test_the_package_itself_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys, galaxy_models; print(dir(galaxy_models), 'numpy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "'predict'" in done.stdout
    assert done.stdout.endswith("False\n")


def test_a_report_comes_of_keywords(
    predictions: Path, labels: Path, tmp_path: Path
) -> None:
    report = gm.evaluate(
        predictions=str(predictions),
        labels=str(labels),
        output=str(tmp_path / "report"),
    )
    assert dataclasses.asdict(report)["num_rows"] == 5

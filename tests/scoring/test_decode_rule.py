"""FITS is decoded in scoring as in training, or as its own unit and bands need."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from galaxy_models.config import ScoreConfig, TrainConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import OutputError, PredictionsError
from galaxy_models.models.folder import read_card
from galaxy_models.scoring import score
from galaxy_models.training import fit

BANDS = ("g", "r", "z")


def write_cutouts(folder: Path, num_galaxies: int) -> Path:
    """A labelled catalog of FITS cubes: red galaxies and blue ones."""
    dice = np.random.default_rng(1)
    y, x = np.mgrid[0:40, 0:40] - 19.5
    light = 3 * np.exp(-np.hypot(x, y) / 5)
    labels = ["red", "blue"] * (num_galaxies // 2)
    for index, label in enumerate(labels):
        colours = np.array([1, 2, 4] if label == "red" else [4, 2, 1])
        cube = light * colours[:, None, None] + dice.normal(0, 0.02, (3, 40, 40))
        hdu = fits.PrimaryHDU(cube.astype(np.float32))
        hdu.header.update({f"BAND{i}": name for i, name in enumerate(BANDS)})
        hdu.writeto(folder / f"{index}.fits")
    images = [f"{index}.fits" for index in range(num_galaxies)]
    table = {"object_id": range(num_galaxies), "image": images, "label": labels}
    pd.DataFrame(table).to_csv(folder / "catalog.csv", index=False)
    return folder / "catalog.csv"


@pytest.mark.slow
def test_colours_of_fits_cutouts_are_learnt_and_found_again(
    ray_here: None, tmp_path: Path
) -> None:
    catalog = str(write_cutouts(tmp_path, 80))
    config = TrainConfig(
        catalog=catalog,
        output=str(tmp_path / "model"),
        network="lenet5",
        image_size=32,
        epochs=8,
        batch_size=8,
        validation_fraction=0.2,
        num_workers=1,
        fits_bands=("z", "r", "g"),
        fits_stretch=1.0,
    )

    card = fit(config)
    score(ScoreConfig(catalog=catalog, model=config.output, output=f"{tmp_path}/out"))

    assert card.decode_rule == DecodeRule(32, 1.0, ("z", "r", "g"), 1.0, 10.0)
    assert read_card(config.output).decode_rule == card.decode_rule
    table = pd.read_parquet(tmp_path / "out").set_index("object_id").sort_index()
    assert (table["status"] == "ok").all()
    labels = pd.read_csv(catalog, index_col="object_id")["label"]
    assert (table["predicted_class"] == labels).mean() > 0.9


def in_another_unit(folder: Path, factor: float) -> str:
    """The same cutouts with every flux multiplied."""
    folder.mkdir()
    catalog = write_cutouts(folder, 10)
    for path in folder.glob("*.fits"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data *= np.float32(factor)
    return str(catalog)


def scored(catalog: str, model: str, output: Path, **flags: Any) -> pd.DataFrame:
    score(ScoreConfig(catalog=catalog, model=model, output=str(output), **flags))
    return pd.read_parquet(output).set_index("object_id").sort_index()


def probabilities(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.filter(like="probability_")


def test_cutouts_of_another_unit_are_scored_with_their_own_stretch(
    model_folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    plain = in_another_unit(tmp_path / "plain", 1)
    counts = in_another_unit(tmp_path / "counts", 2**20)
    expected = scored(plain, model_folder, tmp_path / "1")
    assert "FITS images" not in caplog.text
    white = scored(counts, model_folder, tmp_path / "2")
    assert "become white pictures with --fits-stretch 0.5" in caplog.text
    stretch = 0.5 * 2**20
    found = scored(counts, model_folder, tmp_path / "3", fits_stretch=stretch)
    assert f"--fits-stretch {stretch}: the card of the model says 0.5" in caplog.text

    pd.testing.assert_frame_equal(probabilities(found), probabilities(expected))
    assert not probabilities(white).equals(probabilities(expected))


def test_predictions_of_two_stretches_are_not_mixed(
    model_folder: str, tmp_path: Path
) -> None:
    catalog = in_another_unit(tmp_path / "cutouts", 1)
    before = tmp_path / "before"
    scored(catalog, model_folder, before, fits_stretch=3.0)
    with pytest.raises(OutputError, match=r"--fits-stretch was 3\.0, now None"):
        scored(catalog, model_folder, before)
    with pytest.raises(PredictionsError, match=r"--fits-stretch was 3\.0, now 4\.0"):
        scored(
            catalog,
            model_folder,
            tmp_path / "after",
            fits_stretch=4.0,
            previous=str(before),
        )


def test_other_bands_can_be_shown_than_in_training(
    model_folder: str, tmp_path: Path
) -> None:
    catalog = in_another_unit(tmp_path / "cutouts", 1)
    bands = [("g", "r", "z"), ("2", "1", "0"), ("r",)]
    found = [
        scored(catalog, model_folder, tmp_path / "-".join(names), fits_bands=names)
        for names in bands
    ]
    expected = scored(catalog, model_folder, tmp_path / "as_trained")
    is_same = [probabilities(rows).equals(probabilities(expected)) for rows in found]
    assert is_same == [False, True, False]


def test_the_rule_of_training_may_be_said_again(
    model_folder: str, tmp_path: Path
) -> None:
    (tmp_path / "1.fits").write_bytes(b"SIMPLE")
    (tmp_path / "catalog.csv").write_text("object_id,image\n1,1.fits\n")

    record = score(
        ScoreConfig(
            catalog=f"{tmp_path}/catalog.csv",
            model=model_folder,
            output=f"{tmp_path}/out",
            max_failed_fraction=1.0,
            fits_bands=(),
            fits_stretch=0.5,
            fits_q=10.0,
        )
    )

    assert record.num_failed == 1

"""A model's images are decoded in scoring as they were in training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from galaxy_models.config import ScoreConfig, TrainConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ConfigError
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


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"fits_q": 8.0}, r"--fits-q 8\.0: the model .* was trained with 10\.0; leave"),
        ({"fits_stretch": 2.0}, r"--fits-stretch 2\.0: .* was trained with 0\.5"),
        ({"fits_bands": ("i", "r", "g")}, "--fits-bands i r g: .* trained with none"),
    ],
)
def test_another_rule_than_in_training_is_refused_before_anything_is_begun(
    flags: dict[str, Any], message: str, model_folder: str, tmp_path: Path
) -> None:
    config = ScoreConfig(
        catalog="nowhere.csv", model=model_folder, output=f"{tmp_path}/out", **flags
    )

    with pytest.raises(ConfigError, match=message):
        score(config)
    assert not (tmp_path / "out").exists()


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

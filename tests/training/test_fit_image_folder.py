"""Training on a folder of images whose folders are the labels, without a table."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.simulation import CLASSES, Survey
from galaxy_models.training import fit


@pytest.fixture
def sorted_images(labelled: Survey, tmp_path: Path) -> Path:
    """The labelled survey's images, those of a class in a folder of its own."""
    for row in pd.read_csv(labelled.catalog).itertuples():
        image = labelled.catalog.parent / str(row.image)
        folder = tmp_path / "sky" / str(row.label)
        folder.mkdir(parents=True, exist_ok=True)
        if image.exists():
            shutil.copy(image, folder)
    return tmp_path / "sky"


@pytest.mark.slow
def test_a_folder_of_images_sorted_by_class_is_trained_on(
    labelled: Survey,
    sorted_images: Path,
    small_training: Callable[..., TrainConfig],
    tmp_path: Path,
) -> None:
    output = tmp_path / "model"

    card = fit(
        small_training(labelled, str(output), catalog=str(sorted_images), epochs=1)
    )

    assert card.classes == tuple(sorted(CLASSES))
    assert card.data["catalog"] == str(sorted_images)
    predictions = pd.read_parquet(output / "validation_predictions.parquet")
    for row in predictions.itertuples():
        assert (sorted_images / str(row.label) / f"{row.object_id}.jpg").exists()
    counted = sum(card.data["training"].values()) + len(predictions)
    assert counted + card.data["left_out"] >= 119
    assert not (output / "_staged_catalog").exists()

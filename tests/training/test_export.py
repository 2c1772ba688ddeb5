"""int8 keeps the classes that the network gives, also where light is faint."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.models.card import CARD_NAME, FLOAT_NAME, INT8_NAME
from galaxy_models.models.folder import VALIDATION_NAME, load_model, read_card
from galaxy_models.models.heads import ClassesHead
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.simulation import Survey
from galaxy_models.training import export
from galaxy_models.training.examples import Columns, Examples

pytestmark = pytest.mark.slow


def test_the_card_says_how_well_the_litert_files_agree(model_folder: str) -> None:
    card = read_card(model_folder)
    predictions = pd.read_parquet(Path(model_folder) / VALIDATION_NAME)
    floats = card.litert[FLOAT_NAME]
    assert floats.agreement == 1
    assert floats.val_accuracy == pytest.approx(card.metrics["val_accuracy"])
    assert floats.max_probability_difference < 1e-4
    assert floats.num_galaxies == len(predictions)
    int8 = card.litert[INT8_NAME]
    assert 0 <= int8.agreement <= 1
    assert 0 < int8.max_probability_difference < 1


def test_the_int8_file_is_a_fraction_of_the_float_file(model_folder: str) -> None:
    sizes = {
        name: (Path(model_folder) / name).stat().st_size
        for name in (INT8_NAME, FLOAT_NAME)
    }
    assert sizes[INT8_NAME] < 0.5 * sizes[FLOAT_NAME]


def test_the_card_on_disk_is_plain_json(model_folder: str) -> None:
    card = json.loads((Path(model_folder) / CARD_NAME).read_text())
    assert set(card["litert"]) == {INT8_NAME, FLOAT_NAME}
    assert np.isfinite(card["litert"][INT8_NAME]["agreement"])


def test_convolutions_stay_in_float_until_the_classes_agree(
    model_folder: str, labelled: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pd.read_csv(labelled.catalog)["image"].tolist()
    images, _ = read_images(paths, str(labelled.catalog.parent), DecodeRule(32))
    network = load_model(model_folder)
    float_file = (Path(model_folder) / FLOAT_NAME).read_bytes()
    expected = network.predict_on_batch(images)

    class Content(ClassesHead):
        """Takes any predictions for equal."""

        def agreement(self, *_: np.ndarray) -> float:
            return 1.0

    differences = []
    for enough, num_float_layers in ((1, 0), (2, 2)):  # always; never: lenet5 has 2
        monkeypatch.setattr(export, "TRIAL_AGREEMENT", enough)
        data, num_layers = export.quantize(
            network, float_file, images, Content(("a", "b"))
        )
        assert num_layers == num_float_layers
        found = LiteRTNetwork(data, threads=1).predict(images)
        differences.append(np.abs(found - expected).mean())
    assert differences[1] < differences[0]


def test_the_integers_are_calibrated_on_views_degraded_as_in_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Grey(Examples):
        """Examples in this process's memory."""

        def read(self, start: int, stop: int) -> Columns:
            return {"image": np.full((stop - start, 40, 40, 3), 100, np.uint8)}

    seen: list[np.ndarray] = []

    def noted(
        _: object, __: object, galaxies: np.ndarray, ___: object
    ) -> tuple[bytes, int]:
        seen.append(galaxies)
        return b"", 0

    monkeypatch.setattr(export, "to_litert", lambda _: b"")
    monkeypatch.setattr(export, "with_features", lambda data: data)
    monkeypatch.setattr(export, "quantize", noted)
    monkeypatch.setattr(export, "_predict", lambda *_: pd.DataFrame())
    config = TrainConfig(catalog="c", output="o", image_size=32, noise_levels=8.0)
    examples = Grey((), (200,))
    export.export_litert(None, examples, examples, ClassesHead(("a", "b")), config)
    (galaxies,) = seen
    assert galaxies.shape == (200, 32, 32, 3)
    is_noisy = (galaxies != 100).any(axis=(1, 2, 3))
    assert 0.3 < is_noisy.mean() < 0.7  # half of the views are

"""Flags reach the training step and the saved file: a worker, without Ray."""

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalog_files import unread_catalog

keras = pytest.importorskip("keras")

from galaxy_models.config import TrainConfig  # noqa: E402
from galaxy_models.models.card import MODEL_NAME  # noqa: E402
from galaxy_models.training import export, worker  # noqa: E402
from galaxy_models.training.checkpoint import (  # noqa: E402
    FolderCheckpoints,
    read_state,
)
from galaxy_models.training.examples import Examples, LostGalaxiesError  # noqa: E402
from galaxy_models.training.labels import Labels  # noqa: E402
from galaxy_models.training.local_process import PipeLog  # noqa: E402
from galaxy_models.training.plan import Plan, Workers  # noqa: E402
from galaxy_models.training.request import Request  # noqa: E402

pytestmark = pytest.mark.slow

SIZE_PX = 32
CLASSES = ("cigar", "round")
NUM_OF_CLASS = (6, 18)
AS_THEY_ARE: dict[str, Any] = {
    "rotation_deg": 0,
    "shift_fraction": 0,
    "zoom_fraction": 0,
    "horizontal_flip": False,
    "vertical_flip": False,
}
STANDING_STILL = {"learning_rate": 1e-12}


def decoded() -> Examples:
    """Six cigars, then 18 brighter round galaxies."""
    labels = np.repeat([0, 1], NUM_OF_CLASS)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (len(labels), SIZE_PX, SIZE_PX, 3))
    images += 100 * labels[:, None, None, None]
    columns = {
        "object_id": np.arange(len(labels)),
        "label": labels,
        "image": images.astype(np.uint8),
    }
    return Examples.of([columns])


class Trained:
    """What rank 0 reported at the end.

    Args:
        folder: its last checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.network = keras.models.load_model(folder / MODEL_NAME)
        (self.epoch,) = read_state(folder).history

    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        """Cross-entropy of each training galaxy, and the mean over all classes."""
        columns = decoded().read(0, sum(NUM_OF_CLASS))
        logs = np.log(self.network.predict(columns["image"], verbose=0))
        return -logs[np.arange(len(logs)), columns["label"]], -logs.mean(axis=1)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this process's checkpoints are kept."""
    monkeypatch.setattr(export, "export_litert", lambda *_: {})
    monkeypatch.setattr(export, "embed_training_galaxies", lambda *_: None)
    return tmp_path / "kept"


def run(kept: Path, **flags: Any) -> str | None:
    """One epoch of one worker."""
    output = str(kept.parent / "model")
    config = TrainConfig(
        catalog="c",
        output=output,
        network="lenet5",
        image_size=SIZE_PX,
        epochs=1,
        batch_size=12,
        **{**AS_THEY_ARE, **flags},
    )
    counter = Counter(dict(zip(CLASSES, NUM_OF_CLASS, strict=True)))
    labels = Labels({"training": counter, "validation": counter}, {})
    catalog = unread_catalog(num_rows=48)
    request = Request(config, output, False, catalog, labels, None, None)
    plan = Plan(request, Workers(1, 1, use_gpu=False), decoded(), decoded())
    log = PipeLog(io.BytesIO())
    return worker.train(plan, log, FolderCheckpoints(str(kept)), rank=0)


def trained(kept: Path, **flags: Any) -> Trained:
    assert run(kept, **flags) is None
    (last,) = kept.iterdir()
    return Trained(last)


def test_without_flags_the_loss_is_the_mean_cross_entropy(kept: Path) -> None:
    result = trained(kept, **STANDING_STILL)
    of_labels, _ = result.losses()
    assert result.epoch["loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


def test_label_smoothing_reaches_the_training_loss_alone(kept: Path) -> None:
    result = trained(kept, label_smoothing=0.3, **STANDING_STILL)
    of_labels, of_all = result.losses()
    expected = (0.7 * of_labels + 0.3 * of_all).mean()
    assert result.epoch["loss"] == pytest.approx(expected, rel=1e-5)
    assert abs(expected - of_labels.mean()) > 1e-3 * expected
    assert result.epoch["val_loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


def test_class_weights_reach_the_training_loss_alone(kept: Path) -> None:
    result = trained(kept, class_weight="balanced", **STANDING_STILL)
    of_labels, _ = result.losses()
    weights = np.repeat([24 / (2 * 6), 24 / (2 * 18)], NUM_OF_CLASS)
    expected = (weights * of_labels).mean()
    assert result.epoch["loss"] == pytest.approx(expected, rel=1e-5)
    assert abs(expected - of_labels.mean()) > 1e-3 * expected
    assert result.epoch["val_loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


@pytest.mark.parametrize(("bits", "is_rounded"), [(9, True), (23, False)])
def test_the_saved_weights_have_the_mantissa_bits_that_were_asked_for(
    kept: Path, bits: int, is_rounded: bool
) -> None:
    result = trained(kept, mantissa_bits=bits)
    dropped = np.uint32((1 << (23 - 9)) - 1)
    weights = np.concatenate([w.ravel() for w in result.network.get_weights()])
    assert (weights.view(np.uint32) & dropped == 0).all() == is_rounded


def test_a_failed_export_is_returned_and_reported_all_the_same(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ranks wait for each other's report; another try would fail as well."""

    def fail(*_: Any) -> None:
        raise ValueError("no kernel for this layer")

    monkeypatch.setattr(export, "export_litert", fail)
    failure = run(kept)
    assert failure == "exporting to LiteRT failed: ValueError: no kernel for this layer"
    (last,) = kept.iterdir()
    assert (last / MODEL_NAME).exists()


def test_galaxies_that_were_lost_during_the_export_are_worth_another_try(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise LostGalaxiesError("their host is gone")

    monkeypatch.setattr(export, "export_litert", fail)
    with pytest.raises(LostGalaxiesError):
        run(kept)

"""Flags reach the training step and the saved file: a worker, without Ray."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

keras = pytest.importorskip("keras")

import ray.exceptions  # noqa: E402
import ray.train  # noqa: E402

from galaxy_models.cluster.job_log import JobLog  # noqa: E402
from galaxy_models.config import TrainConfig  # noqa: E402
from galaxy_models.models.card import MODEL_NAME  # noqa: E402
from galaxy_models.tables.catalog import Catalog  # noqa: E402
from galaxy_models.tables.formats import ParquetTable  # noqa: E402
from galaxy_models.training import export, worker  # noqa: E402
from galaxy_models.training.checkpoint import read_state  # noqa: E402
from galaxy_models.training.examples import Columns, Examples  # noqa: E402
from galaxy_models.training.labels import Labels  # noqa: E402
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


class Decoded(Examples):
    """Examples in this process's memory."""

    def read(self, start: int, stop: int) -> Columns:
        (columns,) = self.blocks
        return {name: values[start:stop] for name, values in columns.items()}


class Silent(JobLog):
    def __init__(self) -> None:
        super().__init__(None)

    def say(self, line: str) -> None:
        pass

    def show(self, figures: Any) -> None:
        pass


def decoded() -> Decoded:
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
    return Decoded((columns,), (len(labels),))


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
def last_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the last checkpoint that this process reports to Ray Train."""
    folder = tmp_path / "report"

    def report(metrics: Any, checkpoint: Any) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(checkpoint.path, folder)

    monkeypatch.setattr(ray.train, "report", report)
    monkeypatch.setattr(ray.train, "get_checkpoint", lambda: None)
    monkeypatch.setattr(export, "export_litert", lambda *_: {})
    monkeypatch.setattr(export, "embed_training_galaxies", lambda *_: None)
    return folder


def run(last_report: Path, **flags: Any) -> str | None:
    """One epoch of one worker."""
    output = str(last_report.parent / "model")
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
    catalog = Catalog(
        uri="c",
        table=ParquetTable("c", "/", ("c",), pa.schema([])),
        id_column="object_id",
        image_column="image",
        image_root="/",
        num_rows=48,
        fingerprint="",
    )
    request = Request(config, output, False, catalog, labels, None, None)
    plan = Plan(request, Workers(1, 1, use_gpu=False), decoded(), decoded())
    return worker.train(plan, Silent(), rank=0)


def trained(last_report: Path, **flags: Any) -> Trained:
    assert run(last_report, **flags) is None
    return Trained(last_report)


def test_without_flags_the_loss_is_the_mean_cross_entropy(last_report: Path) -> None:
    result = trained(last_report, **STANDING_STILL)
    of_labels, _ = result.losses()
    assert result.epoch["loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


def test_label_smoothing_reaches_the_training_loss_alone(last_report: Path) -> None:
    result = trained(last_report, label_smoothing=0.3, **STANDING_STILL)
    of_labels, of_all = result.losses()
    expected = (0.7 * of_labels + 0.3 * of_all).mean()
    assert result.epoch["loss"] == pytest.approx(expected, rel=1e-5)
    assert abs(expected - of_labels.mean()) > 1e-3 * expected
    assert result.epoch["val_loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


def test_class_weights_reach_the_training_loss_alone(last_report: Path) -> None:
    result = trained(last_report, class_weight="balanced", **STANDING_STILL)
    of_labels, _ = result.losses()
    weights = np.repeat([24 / (2 * 6), 24 / (2 * 18)], NUM_OF_CLASS)
    expected = (weights * of_labels).mean()
    assert result.epoch["loss"] == pytest.approx(expected, rel=1e-5)
    assert abs(expected - of_labels.mean()) > 1e-3 * expected
    assert result.epoch["val_loss"] == pytest.approx(of_labels.mean(), rel=1e-5)


@pytest.mark.parametrize(("bits", "is_rounded"), [(9, True), (23, False)])
def test_the_saved_weights_have_the_mantissa_bits_that_were_asked_for(
    last_report: Path, bits: int, is_rounded: bool
) -> None:
    result = trained(last_report, mantissa_bits=bits)
    dropped = np.uint32((1 << (23 - 9)) - 1)
    weights = np.concatenate([w.ravel() for w in result.network.get_weights()])
    assert (weights.view(np.uint32) & dropped == 0).all() == is_rounded


def test_a_failed_export_is_returned_and_reported_all_the_same(
    last_report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All ranks wait for each other's report; another try would fail as well."""

    def fail(*_: Any) -> None:
        raise ValueError("no kernel for this layer")

    monkeypatch.setattr(export, "export_litert", fail)
    failure = run(last_report)
    assert failure == "exporting to LiteRT failed: ValueError: no kernel for this layer"
    assert (last_report / MODEL_NAME).exists()


def test_galaxies_that_were_lost_during_the_export_have_ray_try_again(
    last_report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ray.exceptions.ObjectLostError("0" * 56, None, "")

    monkeypatch.setattr(export, "export_litert", fail)
    with pytest.raises(ray.exceptions.ObjectLostError):
        run(last_report)

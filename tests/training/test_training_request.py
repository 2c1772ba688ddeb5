"""What an unfinished training may differ in from the one that resumes it."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from catalog_files import unread_catalog

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError, OutputError
from galaxy_models.storage.output_folder import UNFINISHED_NAME
from galaxy_models.training.labels import Labels, Side
from galaxy_models.training.pipeline import begin, fit
from galaxy_models.training.request import Request

OLDER_KEY = json.loads((Path(__file__).parent / "older_resume_key.json").read_text())
"""As the version before `--undo-class-weight` wrote it."""

LATER_FLAGS = {
    "--undo-class-weight", "--margin-fraction", "--degraded-fraction",
    "--blur-fraction", "--noise-levels", "--colour-fraction", "--jpeg-quality",
    "--questions", "--volunteers-column", "--target", "--hidden-units",
    "--moved-fraction", "--restore-best-weights", "--average-with",
}  # fmt: skip


def request(output: Path, **flags: Any) -> Request:
    """Ask for the training that wrote the older key, but for some flags."""
    catalog = unread_catalog(120, uri="catalog.csv", fingerprint="a1b2")
    counts: dict[Side, Counter[str]] = {
        "training": Counter(round=60, cigar=40),
        "validation": Counter(round=12, cigar=8),
    }
    config = TrainConfig(
        catalog="catalog.csv", output=str(output), network="lenet5", image_size=32
    )
    config = TrainConfig(**({**vars(config), **flags}))
    return Request(config, str(output), True, catalog, Labels(counts, {}), None, None)


def labelled(output: Path, digest: str) -> Request:
    """Ask for the same, of labels that are known."""
    asked = request(output)
    labels = dataclasses.replace(asked.truth, digest=digest)  # type: ignore[type-var]
    return dataclasses.replace(asked, truth=labels)


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """A model folder whose training the version before did not finish."""
    (tmp_path / UNFINISHED_NAME).write_text(json.dumps(OLDER_KEY))
    (tmp_path / "history.csv").write_text("epoch\n1\n")
    return tmp_path


def test_the_key_has_the_names_that_the_version_before_wrote(tmp_path: Path) -> None:
    names = request(tmp_path).resume_key().keys()
    assert names - OLDER_KEY.keys() == LATER_FLAGS
    assert not OLDER_KEY.keys() - names


def test_an_unfinished_training_of_the_version_before_resumes(
    unfinished: Path,
) -> None:
    assert begin(labelled(unfinished, "d1"))
    assert (unfinished / "history.csv").exists()


def test_changed_labels_are_a_change(tmp_path: Path) -> None:
    begin(labelled(tmp_path, "d1"))
    with pytest.raises(OutputError, match="the hash of the labels was d1, now d2"):
        begin(labelled(tmp_path, "d2"))


@pytest.mark.parametrize("flag", ["epochs", "num_workers", "max_restarts"])
def test_flags_that_leave_the_weights_alone_may_change(
    unfinished: Path, flag: str
) -> None:
    assert begin(request(unfinished, **{flag: 7}))


def test_a_later_flag_that_is_set_is_a_change(unfinished: Path) -> None:
    changed = request(unfinished, class_weight="balanced", undo_class_weight=True)
    with pytest.raises(OutputError) as refusal:
        begin(changed)
    assert "--class-weight was none, now balanced" in str(refusal.value)
    assert "--undo-class-weight was None, now True" in str(refusal.value)


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("learning_rate", 1e-3, "--learning-rate was 0.0005, now 0.001"),
        ("mantissa_bits", 9, "--mantissa-bits was 23, now 9"),
        ("label_smoothing", 0.1, "--label-smoothing was 0.0, now 0.1"),
    ],
)
def test_a_changed_flag_is_named(
    unfinished: Path, flag: str, value: float, reason: str
) -> None:
    with pytest.raises(OutputError, match=reason):
        begin(request(unfinished, **{flag: value}))


def test_with_a_cosine_the_number_of_epochs_counts(tmp_path: Path) -> None:
    begin(request(tmp_path, schedule="cosine", epochs=5))
    with pytest.raises(OutputError, match="--epochs was 5, now 6"):
        begin(request(tmp_path, schedule="cosine", epochs=6))


def test_an_unfinished_training_resumes_as_often_as_it_is_asked_for(
    tmp_path: Path,
) -> None:
    assert not begin(request(tmp_path))
    assert begin(request(tmp_path))
    assert begin(request(tmp_path))


def test_a_training_that_is_refused_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    catalog = tmp_path / "galaxies.csv"
    catalog.write_text("object_id,image,label\n1,1.jpg,round\n2,1.jpg,round\n")
    output = tmp_path / "model"

    with pytest.raises(CatalogError, match="one class only"):
        fit(TrainConfig(catalog=str(catalog), output=str(output), plan="local"))

    assert not output.exists()

"""Predictions over several views of a galaxy, calibrated: what ends up in the table."""

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from predictors import (
    BOTH_PLANS,
    CLASSES,
    CountingLog,
    Predict,
    in_one_stage,
    kept_rows,
    plan_for,
    rows_with,
    with_request,
    with_stages,
)

from galaxy_models.config import TtaName
from galaxy_models.scoring import predictor
from galaxy_models.scoring.plan import Plan

SIZE_PX = 16
COLUMNS = [f"probability_{name}" for name in CLASSES]
PATCHES = np.random.default_rng(6).integers(0, 256, (4, 4, 3), np.uint8)
GALAXY = PATCHES.repeat(SIZE_PX // 4, axis=0).repeat(SIZE_PX // 4, axis=1)
CORNER = (slice(SIZE_PX // 4), slice(SIZE_PX // 2))  # rows, columns
ORIENTATIONS = {
    "upright": GALAXY,
    "mirrored": GALAXY[:, ::-1],
    "turned": np.rot90(GALAXY),
    "both": np.rot90(GALAXY)[::-1],
}


def share(brightness: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The share of each colour in a galaxy's light."""
    sums = brightness.sum(axis=(1, 2)).astype(np.float32) + 1
    return np.asarray(sums / sums.sum(axis=1, keepdims=True), np.float32)


class EvenEngine:
    """A network that sees the same however the galaxy lies."""

    batches: ClassVar[list[int]] = []

    def __init__(self, *args: object, **options: object) -> None:
        """Takes what ``load_engine`` takes, and needs none of it."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        return share(images)


class CornerEngine(EvenEngine):
    """A network that looks at the upper left corner only."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().predict(images[:, *CORNER])


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A galaxy in four orientations, and one whose image is not there."""
    monkeypatch.setattr(predictor, "load_engine", CornerEngine)
    for name, pixels in ORIENTATIONS.items():
        Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / f"{name}.png")
    images: list[str | None] = [f"{name}.png" for name in (*ORIENTATIONS, "nowhere")]
    rows = rows_with(pa.array([*ORIENTATIONS, "nowhere"]), images)
    pq.write_table(rows, tmp_path / "galaxies.parquet")
    return plan_for(rows, str(tmp_path))


def with_tta(plan: Plan, tta: TtaName) -> Plan:
    return with_request(plan, config=dataclasses.replace(plan.request.config, tta=tta))


def scored(
    sky: Plan,
    tta: TtaName,
    temperature: float = 1.0,
    predict: Predict = in_one_stage,
) -> pd.DataFrame:
    """Predict the five galaxies; their rows by name."""
    card = dataclasses.replace(sky.request.card, temperature=temperature)
    plan = with_request(with_tta(sky, tta), card=card)
    predict(plan, CountingLog(), pa.table({"chunk": [0, 1, 2]}))
    return kept_rows(plan).set_index("object_id")


@BOTH_PLANS
def test_dihedral_predictions_do_not_depend_on_how_the_galaxy_lies(
    predict: Predict, sky: Plan
) -> None:
    table = scored(sky, "dihedral", predict=predict)

    for name in ORIENTATIONS:
        np.testing.assert_allclose(
            table.loc[name, COLUMNS].astype(float),
            table.loc["upright", COLUMNS].astype(float),
            atol=1e-6,
        )
    spread = table["probability_spread"].iloc[:4]
    assert spread.min() > 0.01
    assert spread.max() - spread.min() < 1e-6


def test_flips_even_out_mirror_images_but_not_quarter_turns(sky: Plan) -> None:
    table = scored(sky, "flips")

    upright, mirrored, turned, both = table[COLUMNS].iloc[:4].to_numpy()
    np.testing.assert_allclose(mirrored, upright, atol=1e-6)
    np.testing.assert_allclose(both, turned, atol=1e-6)
    assert np.abs(turned - upright).max() > 1e-3


def test_without_augmentation_predictions_depend_on_how_the_galaxy_lies(
    sky: Plan,
) -> None:
    table = scored(sky, "none")

    assert table[COLUMNS].iloc[:4].drop_duplicates().shape == (4, 3)
    assert "probability_spread" not in table


@BOTH_PLANS
@pytest.mark.parametrize("tta", ["flips", "dihedral"])
def test_a_network_that_is_even_gives_the_same_answer_without_spread(
    tta: TtaName,
    predict: Predict,
    sky: Plan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(predictor, "load_engine", EvenEngine)

    table = scored(sky, tta, temperature=1.7, predict=predict)

    pixels = np.stack(list(ORIENTATIONS.values()))
    powers = share(pixels) ** (1 / 1.7)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table[COLUMNS].iloc[:4], expected, atol=1e-6)
    assert table["probability_spread"].iloc[:4].tolist() == [0, 0, 0, 0]


@BOTH_PLANS
def test_each_view_is_calibrated_before_they_are_averaged(
    predict: Predict, sky: Plan
) -> None:
    table = scored(sky, "flips", temperature=0.25, predict=predict)

    corners = [np.rot90(GALAXY, 2), GALAXY, GALAXY[::-1], GALAXY[:, ::-1]]
    raw = share(np.stack([corner[CORNER] for corner in corners]))
    views = raw**4 / (raw**4).sum(axis=1, keepdims=True)
    mean = views.mean(axis=0)
    row = table.loc["upright"].to_dict()
    assert [row[name] for name in COLUMNS] == pytest.approx(mean.tolist(), abs=1e-6)
    assert row["confidence"] == pytest.approx(mean.max(), abs=1e-6)
    assert row["predicted_class"] == CLASSES[mean.argmax()]
    spread = views[:, mean.argmax()].std()
    assert row["probability_spread"] == pytest.approx(spread, abs=1e-6)


def test_a_failed_galaxy_has_no_spread(sky: Plan) -> None:
    table = scored(sky, "dihedral")

    assert table["status"].tolist() == ["ok"] * 4 + ["failed"]
    assert table["probability_spread"].isna().tolist() == [False] * 4 + [True]


@BOTH_PLANS
def test_the_network_never_sees_more_galaxies_at_once_than_a_batch(
    predict: Predict, sky: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EvenEngine, "batches", [])
    ledger = dataclasses.replace(sky.ledger, rows_per_chunk=5)
    plan = dataclasses.replace(with_stages(sky, batch_size=2), ledger=ledger)
    monkeypatch.setattr("galaxy_models.scoring.prefetch.FILES_PER_READ", 1)
    monkeypatch.setattr(predictor, "FILES_PER_READ", 1)
    plan = with_tta(plan, "dihedral")

    predict(plan, CountingLog(), pa.table({"chunk": [0]}))

    assert sorted(EvenEngine.batches) == [1] * 8 + [2] * 16

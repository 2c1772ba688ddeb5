"""Measured numbers as what a network learns, and as what scoring writes."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from predictors import plan_for, rows_with

from galaxy_models.config import TrainConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.models.card import ModelCard, card_to_json, head_fields, parse_card
from galaxy_models.models.heads import RegressionHead, Target
from galaxy_models.scoring.predicted import Predicted
from galaxy_models.scoring.predictor import prediction_rows
from galaxy_models.simulation import Survey
from galaxy_models.training.regression import fitted_deviation, regression_metrics
from galaxy_models.training.request import Request, open_request

HEAD = RegressionHead(
    (Target("radius", 4.0, 2.0, "arcsec", "phys.angSize"), Target("bulge", 0.3, 0.1))
)
OUTPUTS = np.asarray([[1.0, -1.0, 0.0, np.log(0.5)], [0, 0, 0, 0]], np.float32)


def request(labelled: Survey, folder: Path, **columns: Any) -> Request:
    """Asks for a training on the labelled galaxies with these columns."""
    table = pd.read_csv(labelled.catalog).drop(columns="label")
    rng = np.random.default_rng(0)
    numbers = {"radius": rng.normal(4, 2, len(table)), "bulge": rng.random(len(table))}
    arrays = {**dict(table), **numbers, **columns}
    fields = pa.table({name: pa.array(column) for name, column in arrays.items()})
    place = fields.schema.get_field_index("radius")
    field = pa.field("radius", fields["radius"].type, metadata={"unit": "arcsec"})
    fields = fields.cast(fields.schema.set(place, field))
    pq.write_table(fields, folder / "sizes.parquet")
    config = TrainConfig(
        catalog=str(folder / "sizes.parquet"),
        image_root=str(Path(labelled.catalog).parent),
        output=str(folder / "model"),
        target=("radius", "bulge"),
        test_fraction=0.2,
    )
    return open_request(config, str(folder / "model"), resume=True)


def test_numbers_are_learned_in_standard_units_of_the_training_galaxies(
    labelled: Survey, tmp_path: Path
) -> None:
    asked = request(labelled, tmp_path)

    rows = pq.read_table(tmp_path / "sizes.parquet")
    column = asked.truth.label_column(rows, asked.catalog, asked.config)
    standard = np.asarray(column.to_pylist(), np.float32)
    assert asked.truth.head.kind == "regression"
    assert np.abs(standard.mean(axis=0)).max() < 0.3
    assert np.abs(standard.std(axis=0) - 1).max() < 0.3
    named = asked.truth.columns_of(standard, OUTPUTS)
    np.testing.assert_allclose(named["radius"], rows["radius"], rtol=1e-5)
    held_back = asked.truth.read_test_rows(asked.catalog, asked.config)
    assert held_back.column_names == ["object_id", "radius", "bulge"]
    assert len(held_back) == asked.truth.counts["test"].total() > 0
    head = asked.truth.head
    assert isinstance(head, RegressionHead)
    assert [target.unit for target in head.targets] == ["arcsec", ""]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"radius": ["large"] * 120},
            "column 'radius' of .* holds no numbers .* with --target",
        ),
        ({"radius": [2.0] * 120}, "--target radius: .* only one value"),
        ({"bulge": [float("inf")] * 120}, "--target bulge: infinite for galaxy"),
        ({"radius": [None] + [1.0, 2.0] * 59 + [3.0], "bulge": [None] + [0.5] * 119},
         "1 galaxies of .* have no radius nor bulge"),
    ],
    ids=["texts", "constant", "infinite", "missing"],
)  # fmt: skip
def test_numbers_that_cannot_be_learned_are_refused(
    columns: dict[str, Any], message: str, labelled: Survey, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=message):
        request(labelled, tmp_path, **columns)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"questions": "galaxy-zoo-2"}, "--target a: .*leave one out"),
        ({"class_weight": "balanced"}, "leave it out with --target"),
        ({"target": ("a", "a")}, "names a column twice"),
    ],
)
def test_flags_that_contradict_are_refused(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**{"catalog": "c", "output": "o", "target": ("a",), **flags})


def test_the_card_keeps_units() -> None:
    card = ModelCard(
        "lenet5", decode_rule=DecodeRule(16), model_hash="0", **head_fields(HEAD)
    )

    assert parse_card(card_to_json(card)).head == HEAD


def test_rows_have_a_mean_and_a_standard_deviation_in_the_columns_unit() -> None:
    rows = rows_with(pa.array([1, 2]), ["a.jpg"] * 2)
    asked = plan_for(rows).request
    card = ModelCard(
        "lenet5", decode_rule=DecodeRule(16), model_hash="0", **head_fields(HEAD)
    )
    asked = dataclasses.replace(asked, card=card)
    one = HEAD.calibrated(OUTPUTS, 2.0)
    other = one + np.asarray([1, 0, 0, 0], np.float32)

    table = prediction_rows(
        rows, Predicted(np.stack([one, other])), [None, "missing: no"], asked
    )

    assert table.column_names[1:5] == [
        "radius_mean",
        "radius_sd",
        "bulge_mean",
        "bulge_sd",
    ]
    found = [table[name][0].as_py() for name in table.column_names[1:5]]
    assert found == pytest.approx([6.5, (16 + 0.25) ** 0.5, 0.2, 0.1], rel=1e-5)
    assert table["radius_mean"][1].as_py() is None
    metadata = table.schema.field("radius_sd").metadata
    assert (metadata[b"unit"], metadata[b"ucd"]) == (
        b"arcsec",
        b"stat.stdev;phys.angSize",
    )


def test_deviations_are_corrected_by_the_validation_galaxies() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1.5, (4000, 2)) * (2, 0.1) + (4, 0.3)
    outputs = np.zeros((4000, 4), np.float32)  # means of 0 and deviations of 1
    table = pd.DataFrame(truth, columns=["radius", "bulge"])
    table[list(HEAD.output_names)] = outputs
    table.loc[:10, "radius"] = np.nan

    assert fitted_deviation(table, HEAD) == pytest.approx(1.5, rel=0.03)
    metrics = regression_metrics(table, HEAD)
    assert metrics["val_rms_radius"] == pytest.approx(3, rel=0.05)
    assert abs(metrics["val_r2_bulge"]) < 0.01

"""Lists of plausible classes: written, and their promise measured."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from predictors import CLASSES, plan_for, rows_with

import galaxy_models as gm
from galaxy_models.config import ScoreConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ConfigError
from galaxy_models.evaluation import Report
from galaxy_models.models.card import ModelCard
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring.predicted import Predicted
from galaxy_models.scoring.predictor import prediction_rows
from galaxy_models.scoring.request import Request
from galaxy_models.simulation import Survey
from galaxy_models.tables.votable_metadata import votable_metadata

PROBABILITIES = np.asarray(
    [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]], np.float32
)
ERRORS = [None, None, "missing: no file", None]


def request(rows: pa.Table) -> Request:
    """Asks a model whose classes are plausible from a probability of 0.3 on."""
    asked = plan_for(rows).request
    config = dataclasses.replace(asked.config, plausible_classes=True)
    card = dataclasses.replace(asked.card, plausible_probability=0.3)
    return dataclasses.replace(asked, config=config, card=card)


@pytest.fixture
def rows() -> pa.Table:
    return rows_with(pa.array([1, 2, 3, 4]), ["a.jpg"] * 4)


@pytest.fixture
def table(rows: pa.Table) -> pa.Table:
    predicted = Predicted(PROBABILITIES[None])
    return prediction_rows(rows, predicted, list(ERRORS), request(rows))


def test_plausible_classes_are_listed_the_most_probable_first(table: pa.Table) -> None:
    assert table["plausible_classes"].to_pylist() == [
        ["cigar", "round"], ["spiral"], [], ["cigar", "round"],
    ]  # fmt: skip


def test_a_file_of_lists_is_read_by_pandas_and_astropy(
    table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "part.parquet"
    described = {**(table.schema.metadata or {}), **votable_metadata(table, "p")}
    pq.write_table(table.replace_schema_metadata(described), path)

    by_pandas = pd.read_parquet(path)["plausible_classes"]
    by_astropy = Table.read(path, format="parquet.votable")["plausible_classes"]

    for column in (by_pandas, by_astropy):
        assert [list(names) for names in column] == table[
            "plausible_classes"
        ].to_pylist()
    assert by_astropy.meta["ucd"] == "src.class"


def test_the_report_measures_how_many_labels_are_listed(
    table: pa.Table, tmp_path: Path
) -> None:
    (tmp_path / "predictions").mkdir()
    pq.write_table(table, tmp_path / "predictions" / "part-000000.parquet")
    labels = pd.DataFrame({"object_id": [1, 2, 4], "label": ["round", "cigar", "disc"]})
    labels.to_csv(tmp_path / "labels.csv", index=False)

    report = gm.evaluate(
        predictions=str(tmp_path / "predictions"),
        labels=str(tmp_path / "labels.csv"),
        output=str(tmp_path / "report"),
        label_groups=("disc=round+spiral",),
    )

    record = json.loads((tmp_path / "report" / "metrics.json").read_text())
    sets = record["labelled"]["plausible_classes"]
    assert sets["coverage"] == pytest.approx(2 / 3, abs=1e-6)  # cigar is not listed
    assert sets["mean_size"] == pytest.approx(5 / 3, abs=1e-6)
    assert isinstance(report, Report)
    assert report.agreement is not None
    assert report.agreement.plausible is not None
    assert "label among the plausible classes" in Path(report.page).read_text()


def test_a_model_without_a_threshold_is_refused(
    unlabelled: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = ModelCard("lenet5", CLASSES, DecodeRule(16), model_hash="0")
    monkeypatch.setattr("galaxy_models.scoring.request.read_card", lambda _: card)
    with pytest.raises(ConfigError, match="--plausible-classes: .* has no threshold"):
        gm.score(
            catalog=str(unlabelled.catalog),
            model=model_reference("galaxy-zoo"),
            output=str(tmp_path / "p"),
            plausible_classes=True,
        )


def test_resuming_compares_the_threshold(rows: pa.Table) -> None:
    asked = request(rows)
    other = dataclasses.replace(
        asked, card=dataclasses.replace(asked.card, plausible_probability=0.2)
    )

    assert asked.resume_key() != other.resume_key()
    without = ScoreConfig(**{**vars(asked.config), "plausible_classes": False})
    key = dataclasses.replace(asked, config=without).resume_key()
    assert "--plausible-classes" not in key

"""Predicted votes: scored, read by others, and compared with votes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from vote_files import TEMPERATURE, TREE, write_vote_model, write_votes

pytest.importorskip("keras")

import galaxy_models as gm  # noqa: E402
from galaxy_models.config import EvaluateConfig  # noqa: E402
from galaxy_models.errors import (  # noqa: E402
    CatalogError,
    ConfigError,
    PredictionsError,
)
from galaxy_models.evaluation import evaluate  # noqa: E402
from galaxy_models.images.decode import read_images  # noqa: E402
from galaxy_models.models.folder import load_model, read_card  # noqa: E402
from galaxy_models.simulation import Survey  # noqa: E402

pytestmark = pytest.mark.slow

FRACTIONS = [f"{name}_fraction" for name in TREE.columns]
CONCENTRATIONS = [f"{name}_concentration" for name in TREE.columns]


@pytest.fixture(scope="module")
def vote_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_vote_model(tmp_path_factory.mktemp("votes") / "model")


@pytest.fixture(scope="module")
def scored(
    vote_model: str, labelled: Survey, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Predicted votes of the labelled galaxies, with concentrations."""
    output = tmp_path_factory.mktemp("scored") / "predictions"
    record = gm.score(
        catalog=str(labelled.catalog),
        model=vote_model,
        output=str(output),
        posterior=True,
        plan="local",
    )
    assert (record.num_rows, record.num_failed, record.classes) == (120, 1, {})
    return output


def test_fractions_are_those_of_the_network_and_concentrations_are_calibrated(
    scored: Path, vote_model: str, labelled: Survey
) -> None:
    table = pd.read_parquet(scored)
    good = table[table["status"] == "ok"]
    catalog = pd.read_csv(labelled.catalog).set_index("object_id")
    card = read_card(vote_model)
    images, _ = read_images(
        list(catalog.loc[good["object_id"][:8], "image"]),
        str(Path(labelled.catalog).parent),
        card.decode_rule,
    )
    said = load_model(vote_model, card).predict(images, verbose=0)

    found = good[CONCENTRATIONS][:8].to_numpy()
    np.testing.assert_allclose(found, said / TEMPERATURE, rtol=1e-4)
    for place in TREE.slices:
        of_question = good[FRACTIONS].to_numpy()[:, place]
        np.testing.assert_allclose(of_question.sum(axis=1), 1, rtol=1e-5)
    asked = good["how-round_proportion_volunteers_asked"]
    np.testing.assert_allclose(asked, good["shape_smooth_fraction"], rtol=1e-6)
    failed = table[table["status"] == "failed"]
    assert failed[FRACTIONS + CONCENTRATIONS].isna().all(axis=None)


def test_astropy_reads_the_columns_with_their_meaning(scored: Path) -> None:
    (path, *_) = sorted(scored.glob("*.parquet"))

    table = Table.read(path, format="parquet.votable")

    column = table["shape_smooth_fraction"]
    assert "expected fraction" in column.description
    for name in FRACTIONS + CONCENTRATIONS:
        ucd = table[name].meta["ucd"]
        assert check_ucd(ucd, check_controlled_vocabulary=True), ucd


def test_a_notebook_gets_the_same_columns(vote_model: str) -> None:
    table = gm.predict(np.zeros((2, 40, 40, 3), np.uint8), vote_model)

    assert set(FRACTIONS) < set(table.columns)
    assert (table["shape_smooth_fraction"] + table["shape_featured_fraction"]).tolist()


def test_views_are_averaged_to_fractions_that_no_orientation_changes(
    vote_model: str, labelled: Survey, tmp_path: Path
) -> None:
    settings = {"catalog": str(labelled.catalog), "model": vote_model, "plan": "local"}
    gm.score(**settings, output=str(tmp_path / "views"), tta="flips")

    table = pd.read_parquet(tmp_path / "views")
    assert "probability_spread" not in table
    assert set(CONCENTRATIONS).isdisjoint(table.columns)
    sums = table[FRACTIONS].to_numpy()[:, TREE.slices[0]].sum(axis=1)
    np.testing.assert_allclose(sums[~np.isnan(sums)], 1, rtol=1e-5)


def test_the_report_gives_errors_by_question_and_coverage(
    scored: Path, labelled: Survey, tmp_path: Path
) -> None:
    votes = write_votes(labelled, tmp_path / "votes.csv")

    report = evaluate(
        EvaluateConfig(
            predictions=str(scored),
            labels=str(tmp_path / "votes.csv"),
            output=str(tmp_path / "report"),
        )
    )

    record = json.loads((tmp_path / "report" / "metrics.json").read_text())["votes"]
    joined = pd.read_parquet(scored).dropna(subset=FRACTIONS).merge(votes)
    asked = joined[["shape_smooth", "shape_featured"]].sum(axis=1)
    gaps = (joined["shape_smooth_fraction"] - joined["shape_smooth"] / asked).abs()
    expected = (gaps * asked).sum() / asked.sum()  # both answers are as far off
    assert record["questions"]["shape"]["error"] == pytest.approx(expected, rel=1e-4)
    assert record["n"] == len(joined) == 119
    assert record["n_failed"] == 1
    assert 0 < record["coverage"]["0.9"] < 1
    assert report.vote_errors is not None
    assert report.vote_errors.total.error == pytest.approx(record["error"], abs=1e-6)
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Question by question" in page
    for name in ("vote_errors", "vote_fractions", "vote_ranks"):
        assert (tmp_path / "report" / f"{name}.png").exists()


def test_flags_about_classes_are_refused_for_votes(
    scored: Path, predictions: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "report")
    with pytest.raises(ConfigError, match="--label-groups: .* holds predicted votes"):
        gm.evaluate(predictions=str(scored), output=output, label_groups=("a=b+c",))
    with pytest.raises(ConfigError, match="--volunteers-column: .* predicted classes"):
        gm.evaluate(predictions=str(predictions), output=output, volunteers_column="n")


def test_votes_of_other_galaxies_or_questions_are_refused(
    scored: Path, labelled: Survey, tmp_path: Path
) -> None:
    votes = write_votes(labelled, tmp_path / "votes.csv")
    settings = {"predictions": str(scored), "output": str(tmp_path / "report")}
    others = votes.assign(object_id=range(len(votes)))
    others.to_csv(tmp_path / "others.csv", index=False)
    with pytest.raises(PredictionsError, match=r"no id of --labels .*others\.csv"):
        gm.evaluate(**settings, labels=str(tmp_path / "others.csv"))
    votes.drop(columns="edge-on_yes").to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(CatalogError, match="1 of the 7 answers .* edge-on_yes"):
        gm.evaluate(**settings, labels=str(tmp_path / "fewer.csv"))


def test_a_posterior_is_asked_of_models_of_votes_only(
    labelled: Survey, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--posterior: .*predicts classes, not votes"):
        gm.score(
            catalog=str(labelled.catalog),
            model="galaxy-zoo",
            output=str(tmp_path / "p"),
            posterior=True,
        )


def test_detections_need_classes(vote_model: str, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    with pytest.raises(ConfigError, match="predicts votes; detections are given class"):
        gm.detect(
            images=str(tmp_path / "frames"),
            model=vote_model,
            output=str(tmp_path / "detections"),
        )

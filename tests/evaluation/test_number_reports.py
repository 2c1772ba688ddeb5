"""From predicted numbers, and labels if there are any, to a report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from number_files import BULGE, FAILED, RADIUS, write_numbers
from own_files import files_of_others
from PIL import Image
from report_files import Evaluate, metrics_of, page_of

from galaxy_models.cli.evaluate import write_report
from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import CatalogError, ConfigError, PredictionsError
from galaxy_models.evaluation.report_files import OUTPUT
from galaxy_models.models.heads import Target

Evaluated = tuple[Path, dict[str, Any]]
"""The report's folder, and the job's summary."""

ROWS: dict[int, Sequence[float] | str] = {
    1: (2.0, 0.5, 0.30, 0.1),
    2: (4.0, 1.0, 0.50, 0.1),
    3: (9.0, 3.0, 0.10, 0.1),
    4: (3.0, 0.5, 0.20, 0.2),
    5: FAILED,
    6: (5.0, 0.5, 0.40, 0.1),
}
TRUTHS = {
    "object_id": [1, 2, 3, 4, 5, 17],
    "radius": [2.5, 4.0, 8.0, 6.0, 1.0, 1.0],
    "bulge": [0.3, None, 0.2, float("inf"), 0.1, 0.1],
}


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Predictions of five galaxies and a failed one: radius and bulge."""
    return write_numbers(tmp_path / "numbers", ROWS, (RADIUS, BULGE))


@pytest.fixture
def truths(tmp_path: Path) -> Path:
    pd.DataFrame(TRUTHS).to_parquet(tmp_path / "truths.parquet")
    return tmp_path / "truths.parquet"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """One report with labels, in another unit, that name images; for all to read."""
    folder = tmp_path_factory.mktemp("evaluated")
    write_numbers(folder / "numbers", ROWS, (RADIUS, BULGE))
    Image.new("RGB", (40, 40), "grey").save(folder / "one.jpg")
    table = pa.table({**TRUTHS, "image": ["one.jpg"] * 6})
    field = pa.field("radius", pa.float64(), metadata={"unit": "arcmin"})
    schema = table.schema.set(table.schema.get_field_index("radius"), field)
    pq.write_table(table.cast(schema), folder / "truths.parquet")
    config = EvaluateConfig(
        predictions=str(folder / "numbers"),
        labels=str(folder / "truths.parquet"),
        output=str(folder / "report"),
        gallery_size=1,
    )
    return folder / "report", write_report(config)


def test_errors_are_given_by_number_and_missing_labels_counted(
    evaluated: Evaluated,
) -> None:
    metrics = metrics_of(evaluated[0])

    assert (metrics["n_predictions"], metrics["n_failed"]) == (6, 1)
    assert metrics["targets"] == ["radius", "bulge"]
    found = metrics["numbers"]
    assert (found["n"], found["n_failed"]) == (4, 1)
    assert found["n_labels_without_prediction"] == 1
    assert found["n_predictions_without_label"] == 1
    radius, bulge = found["targets"]["radius"], found["targets"]["bulge"]
    assert radius["unit"] == "arcsec"
    assert (radius["n_galaxies"], radius["n_missing"]) == (4, 0)
    assert radius["bias"] == pytest.approx((-0.5 + 0 + 1 - 3) / 4)
    assert radius["rms_error"] == pytest.approx(np.sqrt(10.25 / 4), rel=1e-5)
    assert radius["within_1_sd"] == 0.75
    assert radius["coverage"].keys() == {"0.5", "0.8", "0.9", "0.95"}
    assert sum(radius["ranks"]) == pytest.approx(1)
    assert (bulge["n_galaxies"], bulge["n_missing"]) == (2, 2)


def test_the_summary_of_the_job_has_the_errors(evaluated: Evaluated) -> None:
    _, figures = evaluated

    assert (figures["rows"], figures["failed"], figures["compared"]) == (6, 1, 4)
    assert figures["rms_errors"]["radius"] == pytest.approx(np.sqrt(10.25 / 4))
    assert figures["r2"].keys() == {"radius", "bulge"}
    assert figures["accuracy"] is None


def test_the_page_shows_figures_notes_and_failed_rows(evaluated: Evaluated) -> None:
    report, _ = evaluated

    kinds = ("predicted_against_true", "errors", "ranks", "distribution")
    for name in ("radius", "bulge"):
        for kind in kinds:
            assert Image.open(report / f"{kind}_{name}.png").size[0] > 300
    assert files_of_others(report, OUTPUT) == []
    page = page_of(report)
    assert "RMS error of radius 1.6 arcsec" in page.text
    assert "radius (arcsec) 4 -0.625 ± " in page.text
    assert "2 of the compared galaxies have no finite bulge" in page.text
    assert "radius is predicted in arcsec, but its labels are in arcmin" in page.text
    assert "5 truncated: the file ends early" in page.text


def test_galleries_show_the_largest_errors_and_deviations(
    evaluated: Evaluated,
) -> None:
    page = page_of(evaluated[0])

    shown = [alt for alt in page.attributes("img", "alt") if alt.startswith("galaxy")]
    assert shown == [
        "galaxy 4, predicted radius 3 ± 0.5 arcsec",  # 6 of its deviations off
        "galaxy 3, predicted bulge 0.1 ± 0.1",
        "galaxy 3, predicted radius 9 ± 3 arcsec",
        "galaxy 4, predicted bulge 0.2 ± 0.2",
    ]
    assert "label: 6" in page.text
    assert page.attributes("span", "class").count("wrong") == 1


def test_the_reference_names_every_figure_of_numbers(evaluated: Evaluated) -> None:
    metrics = metrics_of(evaluated[0])

    found, predicted = metrics["numbers"], metrics["predicted"]["radius"]
    names = {*metrics, *found, *predicted, *found["targets"]["radius"]}
    readme = (Path(__file__).parents[2] / "jobs" / "README.md").read_text()
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_without_labels_a_report_shows_what_was_predicted(
    run_evaluate: Evaluate, numbers: Path, report: Path
) -> None:
    outcome = run_evaluate(numbers)

    metrics = metrics_of(report)
    assert metrics["numbers"] is outcome.number_errors is None
    radius = metrics["predicted"]["radius"]
    assert (radius["minimum"], radius["maximum"]) == (2, 9)
    assert (radius["percentiles"]["50"], radius["median_sd"]) == (4, 0.5)
    assert {path.name for path in report.glob("*.png")} == {
        "distribution_radius.png",
        "distribution_bulge.png",
    }
    page = page_of(report)
    assert "which nobody has labelled" in page.text
    assert "radius (arcsec) 2 2.2 4 8.2 9 0.5" in page.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"radius": None}, "has no column 'radius', which was predicted; it has"),
        (
            {"radius": ["large"] * 6},
            "'radius' of .*truths.* holds no numbers .*--labels",
        ),
        (
            {"bulge": [np.nan] * 6},
            "'bulge' of --labels .* holds no finite number; name",
        ),
        ({"object_id": [1, 1, 2, 3, 4, 5]}, "occur more than once: 1; leave one row"),
    ],
    ids=["missing", "texts", "empty", "repeated"],
)
def test_labels_without_the_number_are_refused(
    columns: dict[str, Any],
    message: str,
    run_evaluate: Evaluate,
    numbers: Path,
    truths: Path,
    report: Path,
) -> None:
    there = {**TRUTHS, **columns}
    table = {name: values for name, values in there.items() if values is not None}
    pd.DataFrame(table).to_parquet(truths)

    with pytest.raises(CatalogError, match=message):
        run_evaluate(numbers, labels=truths)
    assert not report.exists()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("label_groups", ("disc=a+b",)),
        ("exclude_label", ("merger",)),
        ("label_column", "kind"),
        ("num_bins", 10),
        ("volunteers_column", "n"),
    ],
)
def test_flags_about_classes_and_votes_are_refused_for_numbers(
    flag: str, value: Any, run_evaluate: Evaluate, numbers: Path, truths: Path
) -> None:
    name = f"--{flag.replace('_', '-')}"
    with pytest.raises(ConfigError, match=f"{name}: .* holds predicted numbers; leave"):
        run_evaluate(numbers, labels=truths, **{flag: value})


def test_other_galaxies_and_broken_predictions_are_refused(
    run_evaluate: Evaluate, numbers: Path, truths: Path, tmp_path: Path
) -> None:
    others = pd.DataFrame(TRUTHS).assign(object_id=range(100, 106))
    others.to_parquet(truths)
    with pytest.raises(PredictionsError, match=r"no id of --labels .*truths\.parquet"):
        run_evaluate(numbers, labels=truths)
    write_numbers(tmp_path / "zero", {1: (2.0, 0.0)})
    with pytest.raises(PredictionsError, match="standard deviations are not above 0"):
        run_evaluate(tmp_path / "zero")
    table = pq.read_table(numbers).drop_columns(["radius_sd"])
    pq.write_table(table, tmp_path / "part.parquet")
    with pytest.raises(PredictionsError, match="has no column radius_sd"):
        run_evaluate(tmp_path / "part.parquet")


def test_many_galaxies_of_a_strangely_named_number_are_drawn(
    run_evaluate: Evaluate, tmp_path: Path, report: Path
) -> None:
    name = "../$log M$ <b>"
    rng = np.random.default_rng(0)
    truths = rng.normal(10, 1, 4000)
    means = truths + rng.normal(0, 0.3, 4000)
    rows = {place: (mean, 0.3) for place, mean in enumerate(means.tolist())}
    folder = write_numbers(tmp_path / "many", rows, (Target(name, 0, 1),))
    labels = tmp_path / "labels.parquet"
    pd.DataFrame({"object_id": range(4000), name: truths}).to_parquet(labels)

    outcome = run_evaluate(folder, labels=labels)

    assert outcome.number_errors is not None
    assert [one.number.name for one in outcome.number_errors] == [name]
    found = metrics_of(report)["numbers"]["targets"][name]
    assert found["coverage"]["0.9"] == pytest.approx(0.9, abs=0.02)
    assert (report / "predicted_against_true__log_M_b_.png").exists()
    assert f"RMS error of {name} 0.3" in page_of(report).text

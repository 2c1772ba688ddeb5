"""``python -m jobs.evaluate``: flags in, a report and an exit code out."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from prediction_files import FAILED, row, write_labels, write_predictions

from galaxy_models.cli.command_line import run_job
from galaxy_models.cli.evaluate import write_report
from galaxy_models.config import EvaluateConfig, ScoreConfig
from galaxy_models.errors import ConfigError
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey

ROOT = Path(__file__).parents[2]


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Two galaxies, one of them right."""
    rows = {1: row("round", 0.9), 2: row("spiral", 0.6), 3: FAILED}
    predictions = write_predictions(tmp_path / "predictions", rows)
    labels = write_labels(tmp_path / "labels.csv", {1: "round", 2: "edge_on"})
    return [
        *("--predictions", str(predictions), "--labels", str(labels)),
        *("--output", str(tmp_path / "report")),
    ]


def run(flags: list[str]) -> int:
    return run_job(EvaluateConfig, write_report, None, flags, remedy="run it again")


def test_the_last_line_says_the_main_numbers_and_where_the_page_is(
    flags: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)

    assert run(flags) == 0
    summary = json.loads(capsys.readouterr().out)

    assert caplog.messages[-1] == (
        "accuracy 0.500 (95 %: 0.095 to 0.905) of 2 galaxies, macro-F1 0.500, expected "
        f"calibration error 0.350; {tmp_path}/report/report.html"
    )
    assert (summary["status"], summary["output"]) == ("done", f"{tmp_path}/report")
    assert (summary["rows"], summary["failed"], summary["compared"]) == (3, 1, 2)
    assert summary["accuracy"] == summary["macro_f1"] == 0.5
    assert summary["page"] == f"{tmp_path}/report/report.html"


def test_without_labels_the_last_line_counts_rows(
    flags: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    assert run([*flags[:2], *flags[4:]]) == 0

    page = f"{tmp_path}/report/report.html"
    assert caplog.messages[-1] == f"3 rows, 1 failed, no labels; {page}"


def test_bad_input_exits_with_2_and_one_line(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labels(tmp_path / "labels.csv", {"M31": "round"})

    assert run(flags) == 2

    line = capsys.readouterr().err
    assert line.startswith("error: no id of --labels ")
    assert line.count("\n") == 1
    assert not (tmp_path / "report").exists()


def test_the_command_needs_neither_ray_nor_tensorflow(flags: list[str]) -> None:
    script = (
        "import sys; from galaxy_models.cli import evaluate as job;"
        "from galaxy_models.cli.command_line import run_job;"
        "code = run_job(job.EvaluateConfig, job.write_report, None, remedy='');"
        "heavy = {'ray', 'tensorflow', 'keras'} & set(sys.modules);"
        "sys.exit(code or str(heavy or '') or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *flags], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert "accuracy 0.500" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_bins": 1}, "--num-bins 1: must lie from 2 to 1000."),
        ({"gallery_size": -1}, "--gallery-size -1: must lie from 0 to 200."),
        ({"label_groups": ("disc",)}, "--label-groups disc: write a label, =, and"),
        ({"allow_image_prefix": ("cutouts",)}, "--allow-image-prefix cutouts: must be"),
        ({"s3_endpoint_url": "store:9000"}, "--s3-endpoint-url store:9000: write it"),
        (
            {"exclude_label": ("merger",)},
            "--exclude-label merger: there are no labels to leave out; name them with "
            "--labels.",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        EvaluateConfig(
            predictions="p",
            output="o",
            **settings,  # type: ignore[arg-type]
        )
    assert str(caught.value).startswith(message)


@pytest.mark.slow
def test_what_scoring_wrote_is_evaluated_as_it_is(
    model_folder: str, labelled: Survey, tmp_path: Path
) -> None:
    predictions, report = str(tmp_path / "predictions"), tmp_path / "report"
    catalog = str(labelled.catalog)
    config = ScoreConfig(
        catalog=catalog, model=model_folder, output=predictions, keep=("ra", "dec")
    )
    score(config)

    flags = ["--predictions", predictions, "--labels", catalog, "--output", str(report)]
    assert run(flags) == 0

    metrics = json.loads((report / "metrics.json").read_text())
    assert (metrics["n_predictions"], metrics["n_failed"]) == (120, 1)
    assert metrics["labelled"]["n"] == metrics["n_on_sky"] - 1 == 119
    assert sum(map(sum, metrics["labelled"]["confusion_matrix"])) == 119
    assert (report / "sky_map.png").exists()

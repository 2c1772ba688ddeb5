"""The generated tables of the READMEs are fresh, and complete."""

import dataclasses
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from galaxy_models.cluster.metrics import JOB_METRICS
from galaxy_models.errors import FAILURE_REASONS, FailureReason
from galaxy_models.tables.prediction_schema import PREDICTION_COLUMNS
from jobs import reference


@pytest.mark.parametrize("path", reference.READMES, ids=lambda path: path.parent.name)
def test_the_generated_tables_are_fresh(path: Path) -> None:
    """If not: python -m jobs.reference."""
    assert reference.fresh(path.read_text()) == path.read_text()


def test_a_stale_table_is_named_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- generated: reasons -->\nold\n<!-- end -->\nb\n")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "READMES", (readme,))

    assert reference.main(["--check"]) == 1
    assert "old" in readme.read_text()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    assert capsys.readouterr().out == "README.md\n" * 2
    written = readme.read_text()
    assert written.startswith("a\n<!-- generated: reasons -->\n| reason | meaning |\n")
    assert written.endswith("\n<!-- end -->\nb\n")


@pytest.mark.parametrize("job", reference.JOBS)
def test_the_reference_lists_every_flag_of_a_job_once(job: str) -> None:
    text = reference.fresh(f"<!-- generated: flags {job} -->\n<!-- end -->")
    listed = re.findall(r"^\| `--([a-z0-9-]+)`", text, re.MULTILINE)
    fields = dataclasses.fields(reference.JOBS[job])
    assert sorted(listed) == sorted(field.name.replace("_", "-") for field in fields)


def test_every_table_of_flags_has_a_header_row() -> None:
    lines = (reference.ROOT / "jobs" / "README.md").read_text().splitlines()
    firsts = [
        number
        for number, line in enumerate(lines)
        if line.startswith("| `--") and not lines[number - 1].startswith("| `--")
    ]
    assert len(firsts) > len(reference.JOBS)
    for number in firsts:
        head = ["", "| flag | default | meaning |", "| --- | --- | --- |"]
        assert lines[number - 3 : number] == head


def test_a_flag_shows_its_choices_its_default_and_its_help() -> None:
    text = reference.fresh("<!-- generated: flags score -->\n<!-- end -->")
    assert "| `--plan` {auto, local, fused, two-stage} | auto | " in text
    assert "| `--catalog` | required | " in text
    assert "| `--keep` | none | " in text
    assert "| `--overwrite` | no | " in text


def test_a_flag_without_a_theme_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class Other:
        """Of another job."""

        strange: int = 0
        """Unknown."""

    monkeypatch.setitem(reference.JOBS, "other", Other)
    with pytest.raises(KeyError, match="put strange under one of THEMES"):
        reference.fresh("<!-- generated: flags other -->\n<!-- end -->")


@pytest.mark.parametrize(
    ("readme", "names"),
    [
        ("jobs", [column.name for column in PREDICTION_COLUMNS]),
        ("jobs", FAILURE_REASONS),
        ("infra", [metric.prometheus_name for metric in JOB_METRICS]),
    ],
)
def test_every_column_reason_and_metric_is_listed(readme: str, names: Any) -> None:
    text = (reference.ROOT / readme / "README.md").read_text()
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_reason_of_a_failed_row_has_a_meaning() -> None:
    assert tuple(FAILURE_REASONS) == get_args(FailureReason)


def test_every_module_is_listed_with_what_it_does() -> None:
    text = (reference.ROOT / "galaxy_models" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([\w/.]+)` \| (.+) \|$", text, re.MULTILINE))
    package = reference.PACKAGE
    doors = set(package.glob("*/__init__.py"))
    modules = set(package.rglob("*.py")) - doors - {package / "__init__.py"}
    names = {path.relative_to(package).as_posix() for path in modules}
    assert {name.replace("/__init__.py", "/") for name in names} == set(rows)

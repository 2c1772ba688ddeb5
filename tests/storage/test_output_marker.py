"""Whose folder it is: a marker that names its job, written before anything goes."""

import json
from pathlib import Path
from typing import Any

import pytest

from galaxy_models import storage
from galaxy_models.errors import OutputError
from galaxy_models.evaluation.report_files import OUTPUT as EVALUATION
from galaxy_models.scoring.request import OUTPUT as SCORING
from galaxy_models.storage.output_folder import (
    UNFINISHED_NAME,
    OutputKind,
    begin_output,
    check_output,
    read_marker,
)
from galaxy_models.training.pipeline import OUTPUT as TRAINING

KEY = {"--network": "lenet5", "classes": ("a", "b")}
KINDS = (SCORING, TRAINING, EVALUATION)
OWN_NAMES = {
    "jobs.score": ("_chunks", "part-000000.parquet", "part-000001.parquet"),
    "jobs.train": ("_checkpoints", "history.csv", "model.keras"),
    "jobs.evaluate": ("metrics.json", "class_counts.png", "report.html"),
}
OLD_MARKERS: dict[str, dict[str, Any]] = {
    "jobs.score": {"the model's hash": "5e1f", "--tta": "none"},
    "jobs.train": {"--network": "lenet5", "the set of ids": "00ff", "--seed": 0},
    "jobs.evaluate": {"predictions": "scored", "output": "report", "gallery_size": 24},
}
"""As the version before wrote them: keys alone."""


@pytest.fixture(params=KINDS, ids=lambda kind: str(kind.job))
def kind(request: pytest.FixtureRequest) -> OutputKind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def results(kind: OutputKind, tmp_path: Path) -> Path:
    """What a finished job left."""
    folder = tmp_path / "results"
    folder.mkdir()
    for name in (kind.results_name, *OWN_NAMES[kind.job]):
        (folder / name).write_text("old")
    return folder


@pytest.mark.parametrize("dies_at", range(4))
def test_a_folder_whose_emptying_was_cut_short_is_emptied_by_the_next_job(
    kind: OutputKind, results: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    deleted: list[str] = []

    def delete_some(uri: str) -> None:
        if len(deleted) == dies_at:
            raise KeyboardInterrupt
        deleted.append(uri)
        Path(uri).unlink()

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete_file", delete_some)
        with pytest.raises(KeyboardInterrupt):
            begin_output(str(results), kind, KEY)

    assert len(list(results.iterdir())) == 4 - dies_at + 1
    for overwrite in (False, True):
        check_output(str(results), kind, overwrite, resume=not overwrite)
    # Neither the old results nor what is left of them are this job's to resume.
    assert not begin_output(str(results), kind, KEY, resume=True)
    assert storage.list_names(str(results)) == [UNFINISHED_NAME]
    assert begin_output(str(results), kind, KEY, resume=True)


def test_a_marker_names_its_job_and_what_determines_the_output(
    kind: OutputKind, tmp_path: Path
) -> None:
    begin_output(str(tmp_path), kind, KEY)

    assert json.loads((tmp_path / UNFINISHED_NAME).read_text()) == {
        "format_version": 2,
        "job": kind.job,
        "resume_key": {"--network": "lenet5", "classes": ["a", "b"]},
    }


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("other", KINDS, ids=lambda kind: f"of {kind.job}")
def test_another_jobs_unfinished_folder_is_never_emptied(
    kind: OutputKind, other: OutputKind, tmp_path: Path, overwrite: bool
) -> None:
    begin_output(str(tmp_path), other, KEY)
    (tmp_path / OWN_NAMES[other.job][0]).write_text("hours")
    if kind is other:
        check_output(str(tmp_path), kind, overwrite, resume=True)
        return

    with pytest.raises(
        OutputError,
        match=rf"_unfinished that {kind.job} did not write \(its job is '{other.job}'"
        r"\); name a new folder, or empty this one yourself",
    ):
        check_output(str(tmp_path), kind, overwrite, resume=True)


@pytest.mark.parametrize("old_job", OLD_MARKERS)
def test_a_marker_of_the_version_before_is_its_own_jobs(
    kind: OutputKind, tmp_path: Path, old_job: str
) -> None:
    old = OLD_MARKERS[old_job]
    (tmp_path / UNFINISHED_NAME).write_text(json.dumps(old))
    if kind.job != old_job:
        with pytest.raises(OutputError, match="did not write .its keys are"):
            check_output(str(tmp_path), kind, overwrite=True)
        return

    check_output(str(tmp_path), kind, overwrite=False, resume=True)
    marker = read_marker(str(tmp_path), kind)
    assert marker is not None
    assert marker.resume_key == old
    assert begin_output(str(tmp_path), kind, old, resume=True)
    changed = {**old, next(iter(old)): "another"}
    with pytest.raises(OutputError, match="unfinished results of another job: .*now a"):
        begin_output(str(tmp_path), kind, changed, resume=True)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"my thesis is unfinished",
        b"[1, 2]",
        b"{}",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"format_version": 3, "job": "jobs.score", "resume_key": {}}',
    ],
    ids=lambda content: str(content[:12]),
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_strangers_folder_with_a_file_of_the_markers_name_is_refused(
    tmp_path: Path, content: bytes, overwrite: bool
) -> None:
    (tmp_path / UNFINISHED_NAME).write_bytes(content)
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(OutputError, match=r"_unfinished that jobs\.score did not wr"):
        check_output(str(tmp_path), SCORING, overwrite, resume=True)
    assert (tmp_path / "thesis.tex").exists()


def test_a_half_written_marker_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / f"{UNFINISHED_NAME}-8a3f").write_text("{")

    check_output(str(tmp_path), SCORING, overwrite=False)

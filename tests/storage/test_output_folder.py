"""The folder that a job writes: refused, begun, gone on with, finished."""

from pathlib import Path

import pytest

from galaxy_models import storage
from galaxy_models.errors import CatalogError, OutputError
from galaxy_models.storage import output_folder
from galaxy_models.storage.output_folder import OutputKind

MARKER = "_run.json"
KIND = OutputKind("jobs.score", MARKER, ("*.parquet", "part"))
RECORD = {"--network": "lenet5", "classes": ("a", "b")}


@pytest.fixture
def earlier_results(tmp_path: Path) -> Path:
    """A folder that a finished job left."""
    folder = tmp_path / "results"
    (folder / "part").mkdir(parents=True)
    (folder / MARKER).write_text("{}")
    (folder / "a.parquet").write_text("old")
    (folder / "part" / "b.parquet").write_text("old")
    return folder


def test_a_new_output_folder_is_taken_but_not_made(tmp_path: Path) -> None:
    output = tmp_path / "new"

    assert output_folder.check_output(str(output), KIND, overwrite=False) == str(output)
    assert not output.exists()


def test_an_empty_output_folder_is_taken(tmp_path: Path) -> None:
    output_folder.check_output(str(tmp_path), KIND, overwrite=False)


def test_a_catalog_staged_by_an_interrupted_run_is_not_in_the_way(
    tmp_path: Path,
) -> None:
    (tmp_path / output_folder.STAGING_NAME).mkdir()

    output_folder.check_output(str(tmp_path), KIND, overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_that_is_a_file_is_refused(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "predictions"
    path.touch()

    with pytest.raises(OutputError, match=f"--output {path} is a file; name a folder"):
        output_folder.check_output(str(path), KIND, overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_somebody_elses_folder_is_never_overwritten(
    tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(
        OutputError, match=r"holds something else \(thesis\.tex\); name a new or empty"
    ):
        output_folder.check_output(str(tmp_path), KIND, overwrite)


def test_earlier_results_are_refused_with_the_flag_that_replaces_them(
    earlier_results: Path,
) -> None:
    with pytest.raises(OutputError, match="holds earlier results; .*--overwrite"):
        output_folder.check_output(str(earlier_results), KIND, overwrite=False)


def test_earlier_results_stand_untouched_after_the_check_with_overwrite(
    earlier_results: Path,
) -> None:
    output_folder.check_output(str(earlier_results), KIND, overwrite=True)

    assert (earlier_results / "part" / "b.parquet").read_text() == "old"


def test_what_no_job_wrote_is_not_overwritten(earlier_results: Path) -> None:
    (earlier_results / "my_plots").mkdir()
    (earlier_results / "notes.txt").touch()

    with pytest.raises(
        OutputError,
        match=r"holds more than results of jobs\.score: my_plots, notes\.txt; move",
    ):
        output_folder.check_output(str(earlier_results), KIND, overwrite=True)
    output_folder.begin_output(str(earlier_results), KIND, RECORD)
    names = [output_folder.UNFINISHED_NAME, "my_plots", "notes.txt"]
    assert storage.list_names(str(earlier_results)) == names
    output_folder.check_output(str(earlier_results), KIND, False, resume=True)


def test_hidden_files_are_neither_in_the_way_nor_deleted(earlier_results: Path) -> None:
    (earlier_results / ".DS_Store").touch()

    output_folder.check_output(str(earlier_results), KIND, overwrite=True)
    output_folder.begin_output(str(earlier_results), KIND, RECORD)

    names = [".DS_Store", output_folder.UNFINISHED_NAME]
    assert storage.list_names(str(earlier_results)) == names


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file is a file"):
        output_folder.check_output(
            f"{tmp_path}/file/predictions", KIND, overwrite=False
        )


def test_an_interrupted_jobs_folder_is_refused_as_unfinished(
    earlier_results: Path,
) -> None:
    output_folder.begin_output(str(earlier_results), KIND, RECORD)

    with pytest.raises(OutputError, match="holds unfinished results; .*--overwrite"):
        output_folder.check_output(str(earlier_results), KIND, overwrite=False)
    output_folder.check_output(str(earlier_results), KIND, overwrite=True)


def test_beginning_empties_the_folder_but_for_the_staged_catalog(
    earlier_results: Path,
) -> None:
    staged = earlier_results / output_folder.STAGING_NAME / "catalog.parquet"
    staged.parent.mkdir()
    staged.write_text("rows")

    output_folder.begin_output(str(earlier_results), KIND, RECORD)

    assert storage.list_names(str(earlier_results)) == [
        output_folder.STAGING_NAME,
        output_folder.UNFINISHED_NAME,
    ]
    assert staged.read_text() == "rows"


def test_beginning_makes_a_folder_that_is_not_there(tmp_path: Path) -> None:
    output_folder.begin_output(str(tmp_path / "new"), KIND, RECORD)

    assert (tmp_path / "new").is_dir()


def test_an_unfinished_job_goes_on_with_what_it_left(earlier_results: Path) -> None:
    uri = str(earlier_results)
    output_folder.begin_output(uri, KIND, RECORD)
    (earlier_results / "half.parquet").write_text("rows")

    assert output_folder.check_output(uri, KIND, overwrite=False, resume=True) == uri
    assert output_folder.begin_output(uri, KIND, RECORD, resume=True)
    assert (earlier_results / "half.parquet").read_text() == "rows"
    assert not output_folder.begin_output(uri, KIND, RECORD)
    assert not (earlier_results / "half.parquet").exists()


def test_another_job_may_not_go_on_and_hears_what_differs(
    earlier_results: Path,
) -> None:
    uri = str(earlier_results)
    output_folder.begin_output(uri, KIND, RECORD)
    other = {"--network": "lenet5", "classes": ["a", "c"]}

    with pytest.raises(
        OutputError, match=r"classes was \['a', 'b'\], now \['a', 'c'\]"
    ):
        output_folder.begin_output(uri, KIND, other, resume=True)


def test_there_is_nothing_to_go_on_with_in_a_new_folder(tmp_path: Path) -> None:
    uri = str(tmp_path / "new")
    assert output_folder.check_output(uri, KIND, overwrite=False, resume=True) == uri
    assert not output_folder.begin_output(uri, KIND, RECORD, resume=True)


def test_finished_results_are_refused_whatever_may_be_resumed(
    earlier_results: Path,
) -> None:
    with pytest.raises(OutputError, match="holds earlier results"):
        output_folder.check_output(str(earlier_results), KIND, False, resume=True)


def test_finishing_leaves_results_only(earlier_results: Path) -> None:
    output_folder.begin_output(str(earlier_results), KIND, RECORD)
    (earlier_results / output_folder.STAGING_NAME).mkdir()
    (earlier_results / MARKER).write_text("{}")

    output_folder.finish_output(str(earlier_results))

    assert storage.list_names(str(earlier_results)) == [MARKER]


def stage(output: str) -> Path:
    staged = Path(output) / output_folder.STAGING_NAME / "catalog.parquet"
    staged.parent.mkdir()
    staged.write_text("rows")
    return staged


@pytest.mark.parametrize("error", [CatalogError, KeyboardInterrupt])
def test_a_job_that_ends_before_it_began_leaves_neither_copy_nor_folder(
    error: type[BaseException], tmp_path: Path
) -> None:
    output = tmp_path / "new"

    with (
        pytest.raises(error, match="no labels"),
        output_folder.held_output(str(output), KIND, False, True) as uri,
    ):
        stage(uri)
        raise error("no labels")

    assert not output.exists()


def test_a_refused_job_leaves_the_results_that_it_was_to_replace(
    earlier_results: Path,
) -> None:
    before = sorted(earlier_results.rglob("*"))

    with (
        pytest.raises(CatalogError),
        output_folder.held_output(str(earlier_results), KIND, True, False) as uri,
    ):
        stage(uri)
        raise CatalogError("no labels")

    assert sorted(earlier_results.rglob("*")) == before


def test_a_job_that_began_keeps_its_staged_catalog(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        output_folder.held_output(str(tmp_path / "new"), KIND, False, True) as uri,
    ):
        staged = stage(uri)
        output_folder.begin_output(uri, KIND, RECORD)
        raise KeyboardInterrupt

    assert staged.read_text() == "rows"

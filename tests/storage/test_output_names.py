"""The outputs of jobs are known among other files by the names of theirs."""

import pytest

from galaxy_models.storage.output_folder import OutputKind
from galaxy_models.storage.output_names import RESULTS_NAMES, find_outputs


@pytest.mark.parametrize("name", [*sorted(RESULTS_NAMES), "_unfinished"])
def test_a_folder_with_a_jobs_own_file_is_its_output(name: str) -> None:
    assert find_outputs(["b/1.jpg", f"b/out/{name}", "b/out/1.jpg"]) == ["b/out"]


def test_a_model_is_known_by_its_card_and_its_network_together() -> None:
    assert find_outputs(["a/model.json", "b/model.keras", "c/1.jpg"]) == []
    assert find_outputs(["a/b/model.keras", "a/b/model.json"]) == ["a/b"]


def test_a_file_that_is_being_written_makes_no_output_of_its_folder() -> None:
    assert find_outputs(["a/_unfinished-8a3f", "a/my_run.json"]) == []


def test_every_kind_of_output_is_known() -> None:
    with pytest.raises(ValueError, match=r"_new\.json is not in output_names"):
        OutputKind("jobs.new", "_new.json")

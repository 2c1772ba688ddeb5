"""Flags about earlier predictions, and which of their files become one."""

from typing import Any

import pytest

from galaxy_models.config import ScoreConfig
from galaxy_models.errors import ConfigError
from galaxy_models.scoring.carried_files import group_files


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"retry": ("missing",)}, "--retry missing: name earlier predictions"),
        ({"removed_rows": "keep"}, "--removed-rows keep: name earlier predictions"),
        (
            {"previous": "p", "retry": ("broken",)},
            "--retry broken: choose one of",
        ),
    ],
)
def test_flags_without_previous_predictions_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ScoreConfig(catalog="c", model="m", output="o", **changes)


def test_small_files_are_put_together_and_full_ones_left_alone() -> None:
    assert group_files([10, 9, 0, 3, 3, 2, 10], 10) == [[0], [1], [3, 4, 5], [6]]
    assert group_files([25, 5, 5], 10) == [[0], [1, 2]]

"""The last line on stdout is JSON, whatever a job's figures are."""

import json
import math

from galaxy_models.cli.summary import Summary


def test_what_is_no_number_is_null_at_any_depth() -> None:
    summary = Summary("jobs.evaluate")
    summary.figures = {
        "recalls": [0.5, math.nan, (math.inf, 1)],
        "classes": {"spiral": [{"recall": -math.inf}]},
    }

    record = json.loads(summary.line(0), parse_constant=str)

    assert record["recalls"] == [0.5, None, [None, 1]]
    assert record["classes"] == {"spiral": [{"recall": None}]}

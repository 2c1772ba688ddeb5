"""``--s3-endpoint-url`` holds for one call, not for the process."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from galaxy_models.config import EvaluateConfig, ScoreConfig, TrainConfig
from galaxy_models.errors import InputError
from galaxy_models.evaluation import evaluate
from galaxy_models.scoring import score
from galaxy_models.storage.s3_settings import ENDPOINT_VARIABLES
from galaxy_models.training import fit

FLAG = "http://store:9000"
CALLS: dict[str, Callable[[str | None], Any]] = {
    "score": lambda url: score(
        ScoreConfig(catalog="c.csv", model="m", output="s3://b/o", s3_endpoint_url=url)
    ),
    "fit": lambda url: fit(
        TrainConfig(catalog="c.csv", output="s3://b/o", s3_endpoint_url=url)
    ),
    "evaluate": lambda url: evaluate(
        EvaluateConfig(predictions="p", output="s3://b/o", s3_endpoint_url=url)
    ),
}


@pytest.mark.parametrize("before", [None, "http://other:1"])
@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_does_not_reach_the_first_ones_store(
    monkeypatch: pytest.MonkeyPatch, name: str, before: str | None
) -> None:
    for variable in ENDPOINT_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        if before is not None:
            monkeypatch.setenv(variable, before)
    reached = []

    def reach(*_: object, **__: object) -> None:
        reached.append([os.environ.get(name) for name in ENDPOINT_VARIABLES])
        raise InputError("it is enough to know which store is asked")

    monkeypatch.setattr("galaxy_models.storage.s3.ask", reach)
    for url in (FLAG, None):
        with pytest.raises(InputError, match="it is enough"):
            CALLS[name](url)

    assert reached == [[FLAG, FLAG], [before, before]]
    assert [os.environ.get(name) for name in ENDPOINT_VARIABLES] == [before, before]

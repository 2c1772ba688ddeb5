"""A store that refuses, or is not there, is named in a line before any work begins.

Which exit code and words a job makes of such an error is ``test_command_line.py``'s.
"""

from pathlib import Path
from typing import Any

import pytest

from galaxy_models.config import ScoreConfig, TrainConfig
from galaxy_models.errors import InputError, StoreAccessError, UnreachableStoreError
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from galaxy_models.storage import s3
from galaxy_models.training import fit

DEAD_ENDPOINT = "http://127.0.0.1:9"
FOR_EVER_S = 1e5  # beyond the limit of a test


def refusal(config: ScoreConfig | TrainConfig, kind: type[InputError]) -> str:
    """What a job with everything in a store is told."""
    with pytest.raises(kind) as caught:
        if isinstance(config, TrainConfig):
            fit(config)
        else:
            score(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("variables", "kind", "remedy"),
    [
        (
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            StoreAccessError,
            "denies access to s3://",
        ),
        ({"AWS_ACCESS_KEY_ID": "unknown"}, StoreAccessError, "denies access to s3://"),
        (
            {"AWS_ENDPOINT_URL": DEAD_ENDPOINT},
            UnreachableStoreError,
            "check --s3-endpoint-url or AWS_END",
        ),
    ],
    ids=["wrong secret", "unknown key", "dead endpoint"],
)
@pytest.mark.parametrize("job", ["train", "score"])
def test_a_store_that_refuses_ends_a_job_at_once(
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    variables: dict[str, str],
    kind: type[InputError],
    remedy: str,
) -> None:
    monkeypatch.setattr(s3, "PATIENCE_S", FOR_EVER_S)  # of a store that did answer
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    places: dict[str, Any] = {
        "catalog": f"{s3_bucket}/a.csv",
        "output": f"{s3_bucket}/new",
    }
    config = (
        TrainConfig(**places)
        if job == "train"
        else ScoreConfig(model=f"{s3_bucket}/model", **places)
    )

    assert remedy in refusal(config, kind)


@pytest.mark.parametrize("flag", ["catalog", "model", "output"])
def test_a_bucket_that_does_not_exist_is_named(
    s3_bucket: str, labelled: Survey, flag: str, tmp_path: Path
) -> None:
    places: dict[str, Any] = {
        "catalog": str(labelled.catalog),
        "model": "galaxy-zoo",
        "output": str(tmp_path / "out"),
    }
    places[flag] = "s3://no-such-bucket/sky.csv"

    told = refusal(ScoreConfig(**places), StoreAccessError)

    assert "there is no bucket 'no-such-bucket' at http" in told

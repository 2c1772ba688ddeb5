"""Scoring in this process: when it is chosen, what it refuses, what stops it."""

import dataclasses
import logging
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from predictors import plan_for, rows_with
from unlabelled_survey import NUM_UNLABELLED, config_for

from galaxy_models.chunks.ledger import Ledger
from galaxy_models.cluster import place
from galaxy_models.cluster.resources import Resources
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, ConfigError, ScoringError, StorageError
from galaxy_models.models.card import INT8_NAME, LiteRTRecord
from galaxy_models.scoring import pipeline, predictor, score
from galaxy_models.scoring.plan import (
    MAX_LOCAL_PREDICTIONS,
    ends_sooner_here,
    plan_stages,
)
from galaxy_models.scoring.request import Request
from galaxy_models.simulation import Survey

LAPTOP = Resources(cpus_by_host=(4,))
INT8 = LiteRTRecord("0", 0.995, 0.9, 0.1, 300)
BAD_INT8 = LiteRTRecord("0", 0.9, 0.9, 0.1, 300)


def request_for(
    num_rows: int = 1000, int8: LiteRTRecord | None = INT8, **settings: Any
) -> Request:
    """A catalog of so many rows, to be scored with these flags."""
    request = plan_for(rows_with(pa.array([1]), ["1.jpg"])).request
    return dataclasses.replace(
        request,
        config=dataclasses.replace(request.config, **settings),
        card=dataclasses.replace(
            request.card, litert={} if int8 is None else {INT8_NAME: int8}
        ),
        rows=dataclasses.replace(request.rows, file_sizes=(num_rows,)),
    )


def test_a_small_catalog_ends_sooner_without_ray() -> None:
    assert ends_sooner_here(request_for(MAX_LOCAL_PREDICTIONS), LAPTOP)
    assert not ends_sooner_here(request_for(MAX_LOCAL_PREDICTIONS + 1), LAPTOP)


def test_eight_views_of_a_galaxy_count_eight_times() -> None:
    num_rows = MAX_LOCAL_PREDICTIONS // 8
    assert ends_sooner_here(request_for(num_rows, tta="dihedral"), LAPTOP)
    assert not ends_sooner_here(request_for(num_rows + 1, tta="dihedral"), LAPTOP)


@pytest.mark.parametrize(
    ("request_", "machine"),
    [
        (request_for(), Resources(cpus_by_host=(4,), gpus_by_host=(1,))),
        (request_for(), Resources(cpus_by_host=(4, 4))),
        (request_for(device="gpu"), LAPTOP),
        (request_for(engine="keras"), LAPTOP),
        (request_for(int8=None), LAPTOP),
        (request_for(int8=BAD_INT8), LAPTOP),
    ],
    ids=["a GPU", "two hosts", "asked for GPUs", "keras", "no LiteRT", "bad int8"],
)
def test_what_litert_on_this_machine_s_cpus_cannot_do_is_ray_s(
    request_: Request, machine: Resources
) -> None:
    assert not ends_sooner_here(request_, machine)


def test_gpus_that_are_not_to_be_used_do_not_matter() -> None:
    machine = Resources(cpus_by_host=(4,), gpus_by_host=(1,))
    assert ends_sooner_here(request_for(device="cpu"), machine)
    assert ends_sooner_here(request_for(engine="litert-int8"), machine)


@pytest.mark.parametrize("settings", [{"engine": "keras"}, {"device": "gpu"}])
def test_keras_and_gpus_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--plan local: it predicts with LiteRT or"):
        ScoreConfig(catalog="c", model="m", output="o", plan="local", **settings)


@pytest.mark.parametrize("int8", [None, BAD_INT8])
def test_a_model_that_only_keras_can_serve_is_refused(int8: Any) -> None:
    request = request_for(int8=int8, plan="local")
    with pytest.raises(ConfigError, match="--plan local: .*model /model has no LiteRT"):
        plan_stages(request.config, request.card, LAPTOP, is_local=True)


def test_a_callers_ray_on_this_machine_is_left_alone(
    ray_here: None,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        score(config_for(unlabelled, model_folder, tmp_path / "out", num_workers=2))
    assert "galaxies: 2 litert-float thread(s) of this process" in caplog.text


def test_a_cluster_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    joined: list[object] = []

    def start(*_: object) -> None:
        joined.append(None)
        raise ScoringError("it is enough to know that Ray is asked for")

    monkeypatch.setattr("galaxy_models.cluster.session.ray_session", start)
    with pytest.raises(ScoringError, match="it is enough"):
        pipeline._machines(request_for(), None).__enter__()
    with pytest.raises(ScoringError, match="it is enough"):
        place.joined_cluster("auto").__enter__()
    assert len(joined) == 2
    local = request_for(plan="local")
    assert place.joined_cluster("local").__enter__() is None
    assert pipeline._machines(local, None).__enter__()[1]


@pytest.mark.parametrize(
    ("fault", "raised", "told"),
    [
        (StorageError("the store is away."), StorageError, "^the store is away"),
        (
            CatalogError("the catalog is gone."),
            ScoringError,
            "^scoring stopped: the catalog is gone. The same command resumes it",
        ),
    ],
)
def test_a_thread_that_fails_ends_the_job_and_the_same_command_resumes_it(
    fault: Exception,
    raised: type[Exception],
    told: str,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_for(
        unlabelled, model_folder, tmp_path / "out", rows_per_chunk=10, num_workers=1
    )
    config = dataclasses.replace(config, plan="local")
    predicted = []
    whole = predictor.FusedPredictor.do_chunk

    def predict_some(self: predictor.FusedPredictor, chunk: int) -> Any:
        predicted.append(chunk)
        if len(predicted) == 3:
            raise fault
        return whole(self, chunk)

    with monkeypatch.context() as fails:
        fails.setattr(predictor.FusedPredictor, "do_chunk", predict_some)
        with pytest.raises(raised, match=told):
            score(config)
    ledger = Ledger(str(tmp_path / "out"), NUM_UNLABELLED, 10, 50_000)
    kept = ledger.kept_chunks(0)
    assert {0, 1} <= kept and len(kept) < 9

    record = score(config)

    assert record.num_rows_this_run == NUM_UNLABELLED - 10 * len(kept)
    table = pd.read_parquet(tmp_path / "out")
    catalog = pd.read_parquet(unlabelled.catalog)
    assert table["object_id"].tolist() == catalog["object_id"].tolist()


def test_a_callers_warnings_are_as_they_were(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    filters = list(warnings.filters)
    changes = {"plan": "local", "rows_per_chunk": 10, "num_workers": 2}
    score(config_for(unlabelled, model_folder, tmp_path / "out", **changes))
    assert warnings.filters == filters

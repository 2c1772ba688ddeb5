"""Which engine a job predicts with: asked for, begun with, by rule, or measured."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unlabelled_survey import NUM_UNLABELLED, config_for

from galaxy_models.chunks import engine_choice
from galaxy_models.chunks.engine_choice import (
    MIN_MEASURED_PREDICTIONS,
    EngineChoice,
    EngineWork,
    choice_begun_with,
    settle_engine,
)
from galaxy_models.chunks.run_file import ENGINE_KEY
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.errors import ConfigError, StorageError
from galaxy_models.models import engine_trials
from galaxy_models.models.card import ModelCard
from galaxy_models.models.engine_trials import EngineTrial
from galaxy_models.models.folder import read_card
from galaxy_models.scoring import predictor, score
from galaxy_models.simulation import Survey
from galaxy_models.storage.output_folder import Marker

pytestmark = pytest.mark.slow
SLOW, FAST = EngineTrial(100.0, 1.0), EngineTrial(150.0, 0.995)


@pytest.fixture(autouse=True)
def cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest's cache keeps what OpenVINO needs of the model."""
    folder = request.config.cache.mkdir("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.fixture
def card(model_folder: str) -> ModelCard:
    return read_card(model_folder)


@pytest.fixture
def work(model_folder: str, card: ModelCard) -> EngineWork:
    """So much in this process that measuring is worth its time."""
    return EngineWork(
        asked="auto",
        by_rule="litert-float",
        model=model_folder,
        card=card,
        threads=1,
        is_local=True,
        predictions_per_worker=MIN_MEASURED_PREDICTIONS,
    )


def tried(monkeypatch: pytest.MonkeyPatch, **trials: EngineTrial) -> None:
    """Let these be what is measured; underscores stand for hyphens."""
    found = {name.replace("_", "-"): trial for name, trial in trials.items()}
    monkeypatch.setattr(engine_choice, "try_engines", lambda *_: dict(found))


def test_a_large_job_takes_the_fastest_that_agrees(
    work: EngineWork, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        choice = settle_engine(work)
    timed = {
        name: trial["images_per_s"]
        for name, trial in choice.trials.items()
        if trial["images_per_s"]
    }
    assert {"litert-float", "openvino-float"} <= set(timed)
    assert choice.name == max(timed, key=lambda name: timed[name])
    assert all(choice.trials[name]["agreement"] >= 0.99 for name in timed)
    assert f"{choice.name} is used: {choice.name} " in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"predictions_per_worker": MIN_MEASURED_PREDICTIONS - 1},
        {"by_rule": "keras", "on_gpus": True},
        {"asked": "litert-int8"},
    ],
    ids=["a small job", "on GPUs", "asked for"],
)
def test_nothing_is_measured_where_it_would_not_pay(
    changes: dict[str, Any], work: EngineWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(engine_choice, "try_engines")
    changed = dataclasses.replace(work, **changes)
    expected = changed.by_rule if changed.asked == "auto" else changed.asked
    assert settle_engine(changed) == EngineChoice(expected)


def test_an_engine_that_disagrees_is_not_timed(
    work: EngineWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def agreement(name: EngineName, *_: object) -> float:
        return 0.9 if name.startswith("openvino") else 1.0

    monkeypatch.setattr(engine_trials, "agreement_of", agreement)
    monkeypatch.setattr(engine_trials, "has_bf16", lambda: False)
    choice = settle_engine(work)
    rates = {name: trial["images_per_s"] for name, trial in choice.trials.items()}
    timed = {name: rate for name, rate in rates.items() if rate is not None}
    assert timed.keys() == {"litert-float", "litert-int8"}
    assert choice.name == max(timed, key=timed.__getitem__)
    trial = choice.trials["openvino-float"]
    assert trial["images_per_s"] is None and "less than 99 %" in trial["trouble"]
    assert "no bfloat16" in choice.trials["openvino-bf16"]["trouble"]


def test_an_engine_that_another_host_cannot_use_gives_way_with_a_line(
    work: EngineWork, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answers(hosts: Any, look: Any, at: Any, _: float) -> list[tuple[str, Any]]:
        if isinstance(at[0], list):
            return [("10.0.0.2", look(at))]
        return [("10.0.0.3", "OpenVINO is not installed here")]

    monkeypatch.setattr(engine_choice, "ask", answers)
    hosts = {"b": "10.0.0.2", "c": "10.0.0.3"}
    monkeypatch.setattr(engine_choice, "other_hosts", lambda: hosts)
    monkeypatch.setattr(engine_choice, "working_hosts", lambda: hosts)
    tried(monkeypatch, litert_float=SLOW, openvino_float=FAST)
    cluster = dataclasses.replace(work, is_local=False)
    choice = settle_engine(cluster)
    assert choice.name == "litert-float"
    assert "openvino-float cannot be used on 10.0.0.3: OpenVINO is not" in caplog.text
    asked = dataclasses.replace(cluster, asked="openvino-float")
    with pytest.raises(ConfigError, match="openvino-float cannot be used on 10.0.0.3"):
        settle_engine(asked)


def test_an_engine_that_disagrees_on_another_host_gives_way(
    work: EngineWork, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answers(hosts: Any, look: Any, at: Any, _: float) -> list[tuple[str, Any]]:
        return [(host, look(at)) for host in hosts.values()]

    monkeypatch.setattr(engine_choice, "ask", answers)
    monkeypatch.setattr(engine_choice, "other_hosts", lambda: {"b": "10.0.0.2"})
    monkeypatch.setattr(engine_choice, "working_hosts", lambda: {"b": "10.0.0.2"})
    monkeypatch.setattr(engine_trials, "agreement_of", lambda *_: 0.9)
    tried(monkeypatch, litert_float=SLOW, openvino_int8=FAST)
    cluster = dataclasses.replace(work, is_local=False)
    assert settle_engine(cluster).name == "litert-float"
    assert "openvino-int8 cannot be used on 10.0.0.2: it agrees on less" in caplog.text
    asked = dataclasses.replace(cluster, asked="openvino-int8")
    assert settle_engine(asked).name == "openvino-int8"  # by name: warned of elsewhere


def test_a_host_that_is_lost_while_it_measures_leaves_the_rule(
    work: EngineWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "other_hosts", lambda: {"b": "10.0.0.2"})
    monkeypatch.setattr(engine_choice, "ask", lambda *_: [])
    cluster = dataclasses.replace(work, is_local=False)
    assert settle_engine(cluster) == EngineChoice("litert-float")


@pytest.mark.parametrize(
    ("marker", "choice"),
    [
        (None, None),
        (Marker({}, is_emptied=False), None),
        (Marker({ENGINE_KEY: "abacus"}, is_emptied=True), None),
        (Marker({ENGINE_KEY: "keras"}, is_emptied=True), EngineChoice("keras")),
    ],
)
def test_a_marker_says_what_a_job_was_begun_with(
    marker: Marker | None, choice: EngineChoice | None
) -> None:
    assert choice_begun_with(marker) == choice


@pytest.fixture
def begun(
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> ScoreConfig:
    """A large scoring that measured, took OpenVINO, and was lost half way."""
    config = config_for(
        unlabelled, model_folder, tmp_path / "out", rows_per_chunk=10, num_workers=1
    )
    config = dataclasses.replace(config, plan="local", engine="auto")
    whole = predictor.FusedPredictor.do_chunk

    def fail_later(self: predictor.FusedPredictor, chunk: int) -> Any:
        if chunk == 3:
            raise StorageError("the store is away.")
        return whole(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(engine_choice, "MIN_MEASURED_PREDICTIONS", 1)
        patch.setattr(predictor.FusedPredictor, "do_chunk", fail_later)
        tried(patch, litert_float=SLOW, openvino_float=FAST)
        with pytest.raises(StorageError):
            score(config)
    return config


def test_a_job_that_resumes_keeps_its_engine_and_what_was_measured(
    begun: ScoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(monkeypatch, litert_float=FAST, openvino_float=SLOW)
    monkeypatch.setattr(engine_choice, "MIN_MEASURED_PREDICTIONS", 1)
    record = score(begun)
    assert record.engine == "openvino-float"
    assert 0 < record.num_rows_this_run < record.num_rows == NUM_UNLABELLED
    run = json.loads(Path(begun.output, "_run.json").read_text())
    assert run["engine_trials"] == {
        "litert-float": dataclasses.asdict(SLOW),
        "openvino-float": dataclasses.asdict(FAST),
    }
    assert score(begun).engine == "openvino-float"  # it is finished: nothing to do


@pytest.mark.parametrize("engine", ["openvino-float", "openvino-int8"])
def test_one_and_two_workers_write_the_same_with_openvino(
    engine: EngineName, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    tables = []
    for num_workers in (1, 2):
        output = tmp_path / str(num_workers)
        config = config_for(unlabelled, model_folder, output, num_workers=num_workers)
        score(dataclasses.replace(config, plan="local", engine=engine))
        tables.append(pd.read_parquet(output))
    by_one, by_two = tables
    pd.testing.assert_frame_equal(by_one, by_two, check_exact=True)

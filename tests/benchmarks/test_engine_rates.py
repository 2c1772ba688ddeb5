"""The benchmark of engines on a tiny model."""

import json
from pathlib import Path

import engine_rates
import pytest

from galaxy_models.models.engine_trials import EngineTrial

pytestmark = pytest.mark.slow


def test_every_engine_that_serves_the_model_is_timed(
    model_folder: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = request.config.cache.mkdir("openvino")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    path = str(tmp_path / "rates.json")
    engine_rates.main(engine_rates.RatesConfig(model_folder, rounds=1, json=path))
    found = json.loads(Path(path).read_text())
    assert found["network"] == "lenet5"
    for name in ("litert-float", "openvino-float"):
        trial = EngineTrial(**found["engines"][name])
        assert trial.trouble is None and trial.agreement is not None
        assert trial.images_per_s is not None and trial.images_per_s > 0


def test_the_best_of_several_rounds_counts() -> None:
    trials = [EngineTrial(rate, 1.0) for rate in (None, 3.0, 2.0)]
    assert engine_rates.best(trials).images_per_s == 3

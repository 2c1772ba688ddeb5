"""Which engine a job predicts with: asked for, begun with, by rule, or by measurement.

It is settled once, before work begins, and is the same on every host: so a job's
predictions do not depend on who made them. Knows hosts and engines; it does not know
what is predicted.
"""

import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from galaxy_models.chunks.run_file import ENGINE_KEY
from galaxy_models.cluster.hosts import Hosts, ask, other_hosts, working_hosts
from galaxy_models.config import EngineName
from galaxy_models.config.score import OPENVINO_ENGINES
from galaxy_models.errors import ConfigError
from galaxy_models.models.card import ModelCard
from galaxy_models.models.engine_trials import (
    EngineTrial,
    fastest,
    try_engines,
    unusable_because,
)
from galaxy_models.models.engines import cpu_candidates
from galaxy_models.storage.output_folder import Marker

logger = logging.getLogger(__name__)

# Of each worker: 20 s (AMX) to 60 s (AVX2) with LiteRT at 96 px. Measuring takes 3 to 4
# s, and 4 more where OpenVINO first sees the model; the fastest was up to 1.3 times as
# fast as LiteRT.
MIN_MEASURED_PREDICTIONS = 20_000
TRIALS_KEY = "engines that were timed"  # in the resume key; a resumed job keeps to it
ANSWER_TIMEOUT_S = 600.0  # a host may have to export the network first
HERE = "this machine"

Trials = dict[EngineName, EngineTrial]


@dataclass(frozen=True)
class EngineChoice:
    """What predicts, and what was measured before that was settled."""

    name: EngineName
    trials: Mapping[str, Any] = field(default_factory=dict)
    """Fields of ``EngineTrial`` by engine; empty where nothing was measured."""


@dataclass(frozen=True)
class EngineWork:
    """What an engine is wanted for."""

    asked: EngineName | Literal["auto"]
    by_rule: EngineName
    """What ``engines.choose_engine`` says."""

    model: str
    """A ``model_reference``."""

    card: ModelCard
    threads: int
    """CPU threads of each worker."""

    is_local: bool
    """Whether this process predicts, without Ray."""

    on_gpus: bool = False
    """Whether the predicting actors hold GPUs; none but Keras uses them."""

    predictions_per_worker: int = 0
    """0 where the engine's share of the work is small."""


def choice_begun_with(marker: Marker | None) -> EngineChoice | None:
    """Give the choice of an unfinished job; None if there is none."""
    begun = marker.resume_key if marker else {}
    name = begun.get(ENGINE_KEY)
    if name not in get_args(EngineName):
        return None
    trials = begun.get(TRIALS_KEY, {})
    return EngineChoice(cast(EngineName, name), dict(trials))


def settle_engine(work: EngineWork, begun: EngineChoice | None = None) -> EngineChoice:
    """Settle what predicts.

    Args:
        work: what it is wanted for.
        begun: the choice of the unfinished job that is resumed.

    Raises:
        ConfigError: some host cannot use the engine asked for.
        ModelFolderError: OpenVINO cannot take the network, and was asked for.
        ResourceError: a host cannot run this package's code.
    """
    if work.asked != "auto":
        check_hosts(work.asked, work)
        return EngineChoice(work.asked, begun.trials if begun else {})
    names = cpu_candidates(work.card)
    is_small = work.predictions_per_worker < MIN_MEASURED_PREDICTIONS
    if work.on_gpus or is_small or len(names) < 2:
        return EngineChoice(work.by_rule)
    return _measured(names, work)


def check_hosts(name: EngineName, work: EngineWork) -> None:
    """Refuse an engine that some host cannot use.

    Raises:
        ConfigError: naming the host, and why.
    """
    for host, trouble in _troubles(name, work):
        raise ConfigError(
            f"--engine {name} cannot be used on {host}: {trouble}; choose another one, "
            "or auto. An unfinished job keeps its engine: --overwrite begins it anew."
        )


def _troubles(name: EngineName, work: EngineWork) -> list[tuple[str, str]]:
    """Ask the hosts that predict whether they can use an engine.

    Returns:
        Those that cannot, and why not.
    """
    if name not in OPENVINO_ENGINES:
        return []
    others = _others(work)
    answers = ask(others, _unusable, (name, work), ANSWER_TIMEOUT_S)
    if len(others) == 0 or len(working_hosts()) > len(others):
        answers.append((HERE, _unusable((name, work))))
    return [(host, trouble) for host, trouble in answers if trouble is not None]


def _unusable(question: tuple[EngineName, EngineWork]) -> str | None:
    name, work = question
    by_itself = work.asked == "auto"
    return unusable_because(name, work.model, work.card, unless_it_agrees=by_itself)


def _others(work: EngineWork) -> Hosts:
    return {} if work.is_local else other_hosts()


def _measured(names: list[EngineName], work: EngineWork) -> EngineChoice:
    """Time engines on a host that will predict; take the fastest that all can use."""
    host = dict(list(_others(work).items())[:1])
    answers = ask(host, _try, (names, work), ANSWER_TIMEOUT_S)
    if host and not answers:
        return EngineChoice(work.by_rule)  # its loss stands in the log
    trials = answers[0][1] if answers else _try((names, work))
    chosen = fastest(trials)
    while chosen is not None and (troubles := _troubles(chosen, work)):
        place, trouble = troubles[0]
        logger.warning("%s cannot be used on %s: %s", chosen, place, trouble)
        trials[chosen] = dataclasses.replace(trials[chosen], trouble=trouble)
        chosen = fastest(trials)
    chosen = chosen or work.by_rule
    logger.info("%s is used: %s", chosen, _described(trials))
    found = {name: dataclasses.asdict(trial) for name, trial in trials.items()}
    return EngineChoice(chosen, found)


def _try(question: tuple[list[EngineName], EngineWork]) -> Trials:
    names, work = question
    return try_engines(names, work.model, work.card, work.threads)


def _described(trials: Mapping[EngineName, EngineTrial]) -> str:
    """Say what was found, the fastest first."""
    timed = {name: trial.images_per_s or 0 for name, trial in trials.items()}
    parts = []
    for name in sorted(timed, key=lambda name: -timed[name]):
        trial = trials[name]
        said = f"{timed[name]:.0f} images/s of a core" if timed[name] else "not timed"
        if trial.agreement is not None:
            said += f", agrees on {100 * trial.agreement:.1f} %"
        parts.append(f"{name} {said}" + (f" ({trial.trouble})" * bool(trial.trouble)))
    return "; ".join(parts)

"""How fast the engines of a model are on this machine, and which of them agree.

Measures and compares; where that is worth its time, and what follows, the wings know.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.cluster.ray_output import stderr_unheard
from galaxy_models.config import EngineName
from galaxy_models.config.score import OPENVINO_ENGINES
from galaxy_models.errors import InputError
from galaxy_models.models.card import MIN_AGREEMENT, ModelCard
from galaxy_models.models.engines import Engine, agreement_of, load_engine
from galaxy_models.models.openvino_network import check_installed, has_bf16
from galaxy_models.models.sample_galaxies import sample_galaxies

BATCH_SIZE = 32  # galaxies, as actors predict them on CPUs
TRIAL_S = 0.5  # of each engine, after a first batch


@dataclass(frozen=True)
class EngineTrial:
    """What was found out about an engine."""

    images_per_s: float | None
    """A second of one core, which other work does not slow down (1/s); None if it was
    not timed."""

    agreement: float | None
    """With the trained network, 0 to 1; see ``engines.agreement_of``."""

    trouble: str | None = None
    """Why it cannot be used; None if it can."""


def unusable_because(
    name: EngineName, model: str, card: ModelCard, *, unless_it_agrees: bool = False
) -> str | None:
    """Say why an engine cannot be used on this machine; None if it can.

    Args:
        name: which engine.
        model: a ``model_reference``.
        card: the model's.
        unless_it_agrees: compare it here, too; processors differ in how they compute
            with integers.
    """
    if name not in OPENVINO_ENGINES:
        return None
    try:
        check_installed(f"--engine {name}")
        if name == "openvino-bf16" and not has_bf16():
            return "its processor has no bfloat16 (AMX, or AVX-512 BF16)"
        load_engine(name, model, card, threads=1)
        if unless_it_agrees:
            return _disagreement(agreement_of(name, model, card))
    except InputError as error:
        return str(error)
    return None


def _disagreement(agreement: float | None) -> str | None:
    if agreement is None or agreement >= MIN_AGREEMENT:
        return None
    return f"it agrees on less than {100 * MIN_AGREEMENT:.0f} % of galaxies"


def try_engines(
    names: Sequence[EngineName], model: str, card: ModelCard, threads: int
) -> dict[EngineName, EngineTrial]:
    """Time engines on made-up galaxies, on this machine.

    Args:
        names: which engines.
        model: a ``model_reference``.
        card: the model's.
        threads: CPU threads that each may use.
    """
    return {name: _try(name, model, card, threads) for name in names}


def _try(name: EngineName, model: str, card: ModelCard, threads: int) -> EngineTrial:
    trouble = unusable_because(name, model, card)
    if trouble is not None:
        return EngineTrial(None, None, trouble)
    agreement = agreement_of(name, model, card)
    if trouble := _disagreement(agreement):
        return EngineTrial(None, agreement, trouble)
    try:
        with stderr_unheard():  # LiteRT announces its first engine there
            engine = load_engine(name, model, card, threads)
        rate = _rate(engine, sample_galaxies(BATCH_SIZE, card.decode_rule.image_size))
    except (InputError, RuntimeError, ValueError) as error:
        return EngineTrial(None, agreement, str(error))
    return EngineTrial(round(rate, 1), agreement)


def _rate(engine: Engine, images: NDArray[np.uint8]) -> float:
    """Time an engine: images a second of one core's time, of its fastest batch."""
    engine.predict(images)  # the first is slow
    batch_s: list[float] = []
    while sum(batch_s) < TRIAL_S:
        started_s = time.process_time()
        engine.predict(images)
        batch_s.append(time.process_time() - started_s)
    return len(images) / min(batch_s)


def fastest(trials: Mapping[EngineName, EngineTrial]) -> EngineName | None:
    """Name the fastest engine that can be used; None if there is none."""
    rates = {
        name: trial.images_per_s
        for name, trial in trials.items()
        if trial.images_per_s is not None and trial.trouble is None
    }
    return max(rates, key=lambda name: rates[name], default=None)

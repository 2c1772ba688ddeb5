"""Images/s of a core of every engine that serves a model here, and how far each agrees.

    python tests/benchmarks/engine_rates.py --model galaxy-zoo --json rates.json

Each round asks what ``--engine auto`` asks before large catalogs; the best one counts,
which other work on the machine disturbs least. CPU time of one core, the network alone:
reading and decoding are left out.
"""

import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from galaxy_models.models.engine_trials import EngineTrial, try_engines
from galaxy_models.models.engines import cpu_candidates
from galaxy_models.models.folder import read_card

ARITHMETIC = frozenset(  # as Linux names it
    ("avx2", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
)


@dataclass(frozen=True)
class RatesConfig:
    """Measure a model's engines."""

    model: str = "galaxy-zoo"
    """Model folder, or a model that comes with the package."""

    rounds: int = 3
    """Of all engines in turn."""

    json: str | None = None
    """File for the figures."""


def main(config: RatesConfig) -> None:
    """Measure, and print the figures as JSON."""
    card = read_card(config.model)
    names = cpu_candidates(card)
    rounds = [try_engines(names, config.model, card, 1) for _ in range(config.rounds)]
    trials = {name: best(found[name] for found in rounds) for name in names}
    result = {
        "model": config.model,
        "network": card.network,
        "image_size": card.decode_rule.image_size,
        "processor": processor(),
        "engines": {name: asdict(trial) for name, trial in trials.items()},
    }
    text = json.dumps(result, indent=2)
    if config.json is not None:
        Path(config.json).write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n")


def best(trials: Iterable[EngineTrial]) -> EngineTrial:
    """Take the fastest of some trials of an engine."""
    return max(trials, key=lambda trial: trial.images_per_s or 0)


def processor() -> str:
    """Name this machine's processor, and what it can do that matters here."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    found = {name.strip(): value.split() for name, value in fields.items()}
    abilities = sorted(ARITHMETIC.intersection(found.get("flags", ())))
    return " ".join([*found.get("model name", ()), *abilities])


if __name__ == "__main__":
    main(tyro.cli(RatesConfig))

"""What ``--embedding`` and ``--familiarity`` add to prediction, in CPU time.

    python tests/benchmarks/embedding_cost.py --model model

Batches of noise are predicted with and without, in turn, by LiteRT on one core; the
ratio is that of the fastest of each, which other work on the machine disturbs least.
Reading and decoding, which cost as much again, are left out.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tyro

from galaxy_models.models.engines import choose_engine, load_engine
from galaxy_models.models.folder import load_embedding, read_card
from galaxy_models.scoring.plan import CPU_BATCH_SIZE
from galaxy_models.scoring.predicted import Embedder


@dataclass(frozen=True)
class CostConfig:
    """Measure what an embedding costs."""

    model: str
    """Model folder with an embedding."""

    components: int = 32
    """Numbers of an embedding."""

    rounds: int = 40
    """Batches of each kind."""


def main(config: CostConfig) -> None:
    """Measure, and print the figures as JSON."""
    card = read_card(config.model)
    name = choose_engine("auto", card, on_gpus=False)
    engine = load_engine(name, config.model, card, threads=1)
    embedder = Embedder(load_embedding(config.model, card), config.components, True)
    size = card.decode_rule.image_size
    shape = (CPU_BATCH_SIZE, size, size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def with_embedding() -> None:
        probabilities, features = engine.predict_with_features(images)
        embedder.predicted(probabilities[None], [features])

    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(config.rounds):
        seconds["without"].append(cpu_seconds(lambda: engine.predict(images)))
        seconds["with"].append(cpu_seconds(with_embedding))
    fastest = {kind: min(found) / CPU_BATCH_SIZE for kind, found in seconds.items()}
    result = {
        "engine": name,
        "ms_a_galaxy": {kind: round(1e3 * one, 3) for kind, one in fastest.items()},
        "ratio": round(fastest["with"] / fastest["without"], 4),
    }
    sys.stdout.write(f"{json.dumps(result)}\n")


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process for some work (s)."""
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


if __name__ == "__main__":
    main(tyro.cli(CostConfig))

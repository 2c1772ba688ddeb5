"""From what was asked and what is there to what each stage of scoring gets.

Knows CPUs, GPUs and rows; it starts nothing.
"""

from dataclasses import dataclass, replace

from galaxy_models.cluster.resources import Resources, cpus_for_each, scoring_workers
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.errors import ResourceError
from galaxy_models.models.card import ModelCard
from galaxy_models.scoring.engines import choose_engine

# Actors must not take every CPU: tasks that decode, or make files of chunks, would wait
# for ever. With these shares a machine with one CPU still has room for both; and where
# tasks decode, also if it must take in the actors of another like it, which was lost.
ACTOR_CPUS = 0.5
FED_ACTOR_CPUS = 0.25
WRITE_CPUS = 0.25
MAX_DECODE_CPUS = 1.0

CPU_BATCH_SIZE = 32  # galaxies; LiteRT does not mind (4 to 32 measured)
GPU_BATCH_SIZE = 256  # galaxies; a guess: 38 MB of pixels at 224 px, not measured
# Small chunks let actors finish together and lose little when one dies; a large catalog
# wants large ones, for each costs a file and the driver some milliseconds.
ROWS_PER_CHUNK = range(64, 1024 + 1)
MIN_CHUNKS_PER_ACTOR = 16
MAX_CHUNK_BYTES = 64 * 2**20  # of pixels that travel; Ray divides blocks of 128 MiB


@dataclass(frozen=True)
class StagePlan:
    """How a run is spread over the cluster."""

    engine: EngineName
    on_gpus: bool
    two_stage: bool
    """Whether CPU tasks decode for actors that only predict; else actors do both."""

    num_actors: int
    threads: int
    """CPU threads of each actor."""

    batch_size: int
    """Galaxies predicted at once."""

    actor_cpus: float
    """CPUs that an actor books."""

    decode_cpus: float
    """CPUs that a decoding task books; only in two stages."""

    rows_per_chunk: int
    """Galaxies that are predicted, and kept, together."""

    @property
    def actor_gpus(self) -> int:
        """GPUs that an actor books."""
        return 1 if self.on_gpus else 0

    def described(self) -> str:
        """Say it in a line of the job's log."""
        where = "GPU" if self.on_gpus else "CPU"
        feed = "fed by decoding tasks" if self.two_stage else "that also decode"
        return f"{self.num_actors} {self.engine} actor(s) on {where}s, {feed}"


def plan_stages(
    config: ScoreConfig, card: ModelCard, resources: Resources, num_rows: int
) -> StagePlan:
    """Settle engine, stages and their shares of the cluster.

    Args:
        config: what was asked for.
        card: of the model that predicts.
        resources: what the cluster holds.
        num_rows: galaxies of the catalog.

    Raises:
        ResourceError: the cluster has not the GPUs or CPUs asked for.
        ModelFolderError: the folder cannot serve the engine asked for.
    """
    resources = _usable(config, resources)
    on_gpus = resources.num_gpus > 0
    num_actors = scoring_workers(config.num_workers, resources)
    batch_size = config.batch_size
    if batch_size == "auto":
        batch_size = GPU_BATCH_SIZE if on_gpus else CPU_BATCH_SIZE
    two_stage = config.plan == "two-stage" or (config.plan == "auto" and on_gpus)
    return StagePlan(
        engine=choose_engine(config.engine, card, on_gpus=on_gpus),
        on_gpus=on_gpus,
        two_stage=two_stage,
        num_actors=num_actors,
        threads=cpus_for_each(num_actors, resources),
        batch_size=batch_size,
        actor_cpus=FED_ACTOR_CPUS if two_stage else ACTOR_CPUS,
        decode_cpus=_decode_cpus(resources),
        rows_per_chunk=_rows_per_chunk(config, card, num_actors, num_rows, two_stage),
    )


def _decode_cpus(resources: Resources) -> float:
    """Settle what a decoding task books: it must find room on any host."""
    smallest_host = min(filter(None, resources.cpus_by_host), default=1)
    return min(MAX_DECODE_CPUS, smallest_host / 2)


def _rows_per_chunk(
    config: ScoreConfig, card: ModelCard, num_actors: int, num_rows: int, pixels: bool
) -> int:
    """Settle how many galaxies are kept together."""
    evenly = -(-num_rows // (num_actors * MIN_CHUNKS_PER_ACTOR))
    rows = min(max(evenly, ROWS_PER_CHUNK[0]), ROWS_PER_CHUNK[-1])
    if config.rows_per_chunk != "auto":
        rows = config.rows_per_chunk
    if pixels:  # travel from stage to stage
        rows = min(rows, max_rows_that_travel(card))
    return max(1, min(rows, config.rows_per_file))


def max_rows_that_travel(card: ModelCard) -> int:
    """How many galaxies' pixels may go from stage to stage in one chunk."""
    return MAX_CHUNK_BYTES // (3 * card.decode_rule.image_size**2)


def check_resources(config: ScoreConfig, resources: Resources) -> None:
    """Refuse a cluster in which the actors would wait for a place for ever.

    Raises:
        ResourceError: it has not the GPUs or CPUs asked for.
    """
    scoring_workers(config.num_workers, _usable(config, resources))


def _usable(config: ScoreConfig, resources: Resources) -> Resources:
    """Leave GPUs out if actors get none. LiteRT runs on CPUs, also beside GPUs."""
    if config.device == "gpu" and not resources.num_gpus:
        raise ResourceError(
            f"--device gpu: the cluster has {resources.num_cpus} CPUs and no GPU on "
            f"{resources.num_hosts} host(s); leave --device at auto, or add a GPU host."
        )
    if config.device == "cpu" or config.engine not in ("auto", "keras"):
        return replace(resources, gpus_by_host=())
    return resources

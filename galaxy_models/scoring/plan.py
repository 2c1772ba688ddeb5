"""How a request is spread over this process or a cluster: engine, stages, chunks.

Knows CPUs, GPUs and rows; it starts nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from galaxy_models.chunks.engine_choice import TRIALS_KEY, EngineChoice, EngineWork
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.run_file import VERSION_KEY, check_format_version
from galaxy_models.cluster.resources import Resources, cpus_for_each, scoring_workers
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.config.score import CPU_ENGINES
from galaxy_models.errors import ConfigError, OutputError, ResourceError
from galaxy_models.models.card import ModelCard
from galaxy_models.models.engines import choose_engine, explain_engine
from galaxy_models.scoring.augmentation import NUM_VIEWS
from galaxy_models.scoring.dated_choice import CHOSEN_KEY
from galaxy_models.scoring.request import OUTPUT, Request, resumes
from galaxy_models.scoring.run_file import (
    FORMAT_VERSION,
)
from galaxy_models.storage import output_folder

# Actors must not take every CPU: tasks that decode, or make files of chunks, would wait
# for ever. With these shares a machine with one CPU still has room for both; and where
# tasks decode, also if it must take in the actors of another like it, which was lost.
ACTOR_CPUS = 0.5
FED_ACTOR_CPUS = 0.25
MAX_DECODE_CPUS = 1.0

CPU_BATCH_SIZE = 32  # galaxies; LiteRT does not mind (4 to 32 measured)
GPU_BATCH_SIZE = 256  # galaxies; a guess: 38 MB of pixels at 224 px, not measured
# Small chunks let actors finish together and lose little when one dies; a large catalog
# wants large ones, for each costs a file and the driver some milliseconds.
ROWS_PER_CHUNK = range(64, 1024 + 1)
MIN_CHUNKS_PER_ACTOR = 16
MAX_CHUNK_BYTES = 64 * 2**20  # of pixels that travel; Ray divides blocks of 128 MiB
ROWS_PER_CHUNK_KEY = "rows per chunk"  # in the resume key; a resumed job keeps to it
MODEL_KEY, MODEL_HASH_KEY = b"galaxy_batch.model", b"galaxy_batch.model_hash"


# Of views of galaxies, in this process where the plan is auto: 10 to 60 s on two cores,
# to which Ray would add 12 to 20. Threads keep all cores busy as Ray's actors do, but
# share the interpreter's lock (0.1 ms of the 1 to 3 ms of a galaxy, so up to some ten
# cores), and a crash in a decoder ends the job, not an actor.
MAX_LOCAL_PREDICTIONS = 20_000


@dataclass(frozen=True)
class Stages:
    """What predicts, where, and what each stage books of the cluster."""

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

    is_local: bool = False
    """Whether threads of this process predict, without Ray; they decode, too."""

    @property
    def actor_gpus(self) -> int:
        """GPUs that an actor books."""
        return 1 if self.on_gpus else 0

    def described(self) -> str:
        """Say it in a line of the job's log."""
        if self.is_local:
            return f"{self.num_actors} {self.engine} thread(s) of this process"
        where = "GPU" if self.on_gpus else "CPU"
        feed = "fed by decoding tasks" if self.two_stage else "that also decode"
        return f"{self.num_actors} {self.engine} actor(s) on {where}s, {feed}"


@dataclass(frozen=True)
class Plan:
    """A request, and how it is carried out; every actor gets it."""

    request: Request
    stages: Stages
    ledger: Ledger
    """Which rows are a chunk, and where its predictions go."""

    format_version: int = FORMAT_VERSION
    """Of the output: an older one is resumed as it was begun."""

    engine_trials: Mapping[str, Any] = field(default_factory=dict)
    """What was measured before the engine was chosen; see ``EngineChoice``."""

    def resume_key(self) -> dict[str, Any]:
        """Name the inputs that determine the output, and how it is cut."""
        key = self.request.resume_key(self.stages.engine, self.format_version)
        key[ROWS_PER_CHUNK_KEY] = self.ledger.rows_per_chunk
        if self.request.rows.chosen is not None:
            key[CHOSEN_KEY] = self.request.rows.chosen.hexdigest()
        if self.format_version > 1:
            key[VERSION_KEY] = self.format_version
        if self.engine_trials:
            key[TRIALS_KEY] = dict(self.engine_trials)
        return key

    @property
    def file_metadata(self) -> dict[bytes, bytes]:
        """What every file of predictions says of the model."""
        model, model_hash = self.request.model, self.request.card.model_hash
        return {MODEL_KEY: model.encode(), MODEL_HASH_KEY: model_hash.encode()}


def ends_sooner_here(request: Request, machine: Resources) -> bool:
    """Whether a scoring ends sooner in this process than with Ray's actors.

    Args:
        request: what was asked for.
        machine: the CPUs and GPUs that it may use.
    """
    config = request.config
    if machine.num_hosts > 1 or config.device == "gpu":
        return False
    if _usable(config, machine).num_gpus:
        return False
    if choose_engine(config.engine, request.card, on_gpus=False) not in CPU_ENGINES:
        return False
    return _num_predictions(request) <= MAX_LOCAL_PREDICTIONS


def _num_predictions(request: Request) -> int:
    """Count the views of galaxies that are predicted."""
    return request.rows.num_rows * NUM_VIEWS[request.config.tta]


def engine_work(
    request: Request, resources: Resources, *, is_local: bool
) -> EngineWork:
    """Say what an engine is wanted for, so that one can be chosen.

    Args:
        request: what was asked for.
        resources: what the cluster, or this process, may use.
        is_local: whether this process predicts, without Ray.

    Raises:
        ResourceError, ModelFolderError, ConfigError: as for ``make_plan``.
    """
    config, card = request.config, request.card
    stages = plan_stages(config, card, resources, is_local=is_local)
    return EngineWork(
        asked=config.engine,
        by_rule=stages.engine,
        model=request.model,
        card=card,
        threads=stages.threads,
        is_local=is_local,
        on_gpus=stages.on_gpus,
        predictions_per_worker=_num_predictions(request) // stages.num_actors,
    )


def make_plan(
    request: Request,
    resources: Resources,
    output: str,
    choice: EngineChoice | None = None,
    *,
    is_local: bool = False,
) -> Plan:
    """Plan a scoring; one that is resumed keeps the chunks that it was cut into.

    Args:
        request: what was asked for.
        resources: what the cluster, or this process, may use.
        output: URI of the predictions' folder.
        choice: the engine; without one it is chosen by rule.
        is_local: whether this process predicts, without Ray.

    Raises:
        ResourceError: the cluster has not the GPUs or CPUs asked for.
        ModelFolderError: the folder cannot serve the engine asked for.
        ConfigError: this process cannot serve it.
        OutputError: an unfinished scoring there cannot be resumed with these stages, or
            a newer version of this package began it.
    """
    config, card = request.config, request.card
    stages = plan_stages(config, card, resources, is_local=is_local)
    choice = choice or EngineChoice(stages.engine)
    stages = replace(stages, engine=choice.name)
    explain_engine(stages.engine, config.engine, card)
    marker = output_folder.read_marker(output, OUTPUT) if resumes(config) else None
    begun = marker.resume_key if marker else {}
    version = begun.get(VERSION_KEY, 1) if begun else FORMAT_VERSION
    check_format_version(version, FORMAT_VERSION, output)
    num_rows = request.rows.num_rows
    rows_per_chunk = choose_rows_per_chunk(config, card, stages, num_rows)
    if config.rows_per_chunk == "auto":
        rows_per_chunk = int(begun.get(ROWS_PER_CHUNK_KEY, rows_per_chunk))
    _check_travel(rows_per_chunk, card, stages, output)
    rows_per_file = config.rows_per_file
    if version == 1:  # its files were made of whole chunks
        rows_per_file = -(-rows_per_file // rows_per_chunk) * rows_per_chunk
    first_file = request.carried.num_files if request.carried else 0
    ledger = Ledger(output, num_rows, rows_per_chunk, rows_per_file, first_file)
    return Plan(request, stages, ledger, version, choice.trials)


def plan_stages(
    config: ScoreConfig,
    card: ModelCard,
    resources: Resources,
    *,
    is_local: bool = False,
) -> Stages:
    """Settle engine, stages and their shares of the cluster.

    Args:
        config: what was asked for.
        card: of the model that predicts.
        resources: what the cluster, or this process, may use.
        is_local: whether this process predicts, without Ray.

    Raises:
        ResourceError: the cluster has not the GPUs or CPUs asked for.
        ModelFolderError: the folder cannot serve the engine asked for.
        ConfigError: this process cannot serve it.
    """
    if is_local:
        resources = resources.without_gpus()
    resources = _usable(config, resources)
    on_gpus = resources.num_gpus > 0
    num_actors = scoring_workers(config.num_workers, resources)
    batch_size = config.batch_size
    if batch_size == "auto":
        batch_size = GPU_BATCH_SIZE if on_gpus else CPU_BATCH_SIZE
    two_stage = config.plan == "two-stage" or (config.plan == "auto" and on_gpus)
    engine = choose_engine(config.engine, card, on_gpus=on_gpus)
    if is_local and engine not in CPU_ENGINES:
        raise ConfigError(
            f"--plan local: it predicts with LiteRT, and the model {config.model} has "
            "no LiteRT file that agrees with it; leave the flag out, name an engine of "
            "OpenVINO, or train the model again."
        )
    return Stages(
        engine=engine,
        on_gpus=on_gpus,
        two_stage=two_stage,
        num_actors=num_actors,
        threads=cpus_for_each(num_actors, resources),
        batch_size=batch_size,
        actor_cpus=FED_ACTOR_CPUS if two_stage else ACTOR_CPUS,
        decode_cpus=_decode_cpus(resources),
        is_local=is_local,
    )


def _decode_cpus(resources: Resources) -> float:
    """Settle what a decoding task books: it must find room on any host."""
    smallest_host = min(filter(None, resources.cpus_by_host), default=1)
    return min(MAX_DECODE_CPUS, smallest_host / 2)


def choose_rows_per_chunk(
    config: ScoreConfig, card: ModelCard, stages: Stages, num_rows: int
) -> int:
    """Settle how many galaxies of ``num_rows`` are predicted, and kept, together."""
    evenly = -(-num_rows // (stages.num_actors * MIN_CHUNKS_PER_ACTOR))
    rows = min(max(evenly, ROWS_PER_CHUNK[0]), ROWS_PER_CHUNK[-1])
    if config.rows_per_chunk != "auto":
        rows = config.rows_per_chunk
    if stages.two_stage:
        rows = min(rows, _max_rows_that_travel(card))
    return max(1, min(rows, config.rows_per_file))


def _max_rows_that_travel(card: ModelCard) -> int:
    """How many galaxies' pixels may go from stage to stage in one chunk."""
    return MAX_CHUNK_BYTES // (3 * card.decode_rule.image_size**2)


def _check_travel(
    rows_per_chunk: int, card: ModelCard, stages: Stages, output: str
) -> None:
    """Refuse chunks of a resumed scoring that cannot travel between two stages."""
    max_rows = _max_rows_that_travel(card)
    if stages.two_stage and rows_per_chunk > max_rows:
        raise OutputError(
            f"{output} was begun with {rows_per_chunk} rows a chunk, too many to go "
            f"from stage to stage (at most {max_rows}); resume it with --plan fused, "
            "or start again with --overwrite."
        )


def check_resources(config: ScoreConfig, resources: Resources) -> None:
    """Refuse a cluster in which the actors would wait for a place for ever.

    Raises:
        ResourceError: it has not the GPUs or CPUs asked for.
    """
    scoring_workers(config.num_workers, _usable(config, resources))


def _usable(config: ScoreConfig, resources: Resources) -> Resources:
    """Leave GPUs out if actors get none: LiteRT runs on CPUs on any host."""
    if config.device == "gpu" and not resources.num_gpus:
        raise ResourceError(
            f"--device gpu: the cluster has {resources.num_cpus} CPUs and no GPU on "
            f"{resources.num_hosts} host(s); leave --device at auto, or add a GPU host."
        )
    if config.device == "cpu" or config.engine not in ("auto", "keras"):
        return resources.without_gpus()
    return resources

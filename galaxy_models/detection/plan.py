"""How a detection is spread over the cluster: engine, actors, chunks of tiles.

Knows CPUs and tiles; it starts nothing.
"""

from dataclasses import dataclass
from typing import Any

from galaxy_models.chunks.engine_choice import EngineWork
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.run_file import VERSION_KEY, check_format_version
from galaxy_models.cluster.resources import Resources, cpus_for_each, scoring_workers
from galaxy_models.config import DetectConfig, EngineName
from galaxy_models.config.score import CPU_ENGINES
from galaxy_models.detection.request import (
    FORMAT_VERSION,
    OUTPUT,
    Request,
    resumes,
)
from galaxy_models.errors import ConfigError
from galaxy_models.models.engines import choose_engine, explain_engine
from galaxy_models.storage import output_folder

ACTOR_CPUS = 0.5  # so that tasks that make files find room, as in scoring
TILES_PER_CHUNK = range(1, 16 + 1)  # a tile takes about a second
MIN_CHUNKS_PER_ACTOR = 16  # so that actors finish together
TILES_PER_CHUNK_KEY = "tiles per chunk"  # in the resume key; a resumed job keeps to it
MODEL_KEY, MODEL_HASH_KEY = b"galaxy_batch.model", b"galaxy_batch.model_hash"
CONTENT_NAME = "detections"
MAX_LOCAL_PIXELS = 50_000_000  # 10 to 20 s of a core, to which Ray would add as much


@dataclass(frozen=True)
class Plan:
    """A request, and how it is carried out; every actor gets it."""

    request: Request
    engine: EngineName
    num_actors: int
    threads: int
    """CPU threads of each actor's network."""

    is_local: bool
    """Whether a thread of this process does it, without Ray."""

    ledger: Ledger
    """Which tiles are a chunk, and where their sources go."""

    def resume_key(self) -> dict[str, Any]:
        """Name the inputs that determine the output, and how it is cut."""
        key = self.request.resume_key(self.engine)
        return {**key, TILES_PER_CHUNK_KEY: self.ledger.rows_per_chunk}

    @property
    def file_metadata(self) -> dict[bytes, bytes]:
        """What every file of detections says of the model."""
        model, model_hash = self.request.model, self.request.card.model_hash
        return {MODEL_KEY: model.encode(), MODEL_HASH_KEY: model_hash.encode()}

    @property
    def engine_work(self) -> EngineWork:
        """What the engine is wanted for; most of the time goes to the sources."""
        return EngineWork(
            asked=self.request.config.engine,
            by_rule=self.engine,
            model=self.request.model,
            card=self.request.card,
            threads=self.threads,
            is_local=self.is_local,
        )

    def described(self) -> str:
        """Say it in a line of the job's log."""
        if self.is_local:
            return f"a thread of this process, with {self.engine}"
        return f"{self.num_actors} actor(s) on CPUs, with {self.engine}"


def ends_sooner_here(request: Request, machine: Resources) -> bool:
    """Whether a detection ends sooner in this process than with Ray's actors.

    Args:
        request: what was asked for.
        machine: the CPUs that it may use.
    """
    if machine.num_hosts > 1 or request.config.num_workers not in ("auto", 1):
        return False
    engine = choose_engine(request.config.engine, request.card, on_gpus=False)
    return engine in CPU_ENGINES and request.tiles.num_pixels <= MAX_LOCAL_PIXELS


def make_plan(
    request: Request, resources: Resources, output: str, *, is_local: bool
) -> Plan:
    """Plan a detection; one that is resumed keeps the chunks that it was cut into.

    Args:
        request: what was asked for.
        resources: what the cluster, or this process, may use.
        output: URI of the detections' folder.
        is_local: whether this process does it, without Ray.

    Raises:
        ConfigError: this process cannot do it.
        ResourceError: the cluster has not the CPUs asked for.
        ModelFolderError: the folder cannot serve the engine asked for.
        OutputError: another version of this package, whose rows would not go together
            with this one's, began the detection there.
    """
    config, card = request.config, request.card
    resources = on_cpus(resources)
    # sep keeps the interpreter's lock, so that threads would wait for each other.
    num_actors = 1 if is_local else scoring_workers(config.num_workers, resources)
    engine = choose_engine(config.engine, card, on_gpus=False)
    if is_local and engine not in CPU_ENGINES:
        raise ConfigError(
            f"--plan local: it predicts with LiteRT, and the model {config.model} has "
            "no LiteRT file that agrees with it; leave the flag out, or name an engine "
            "of OpenVINO."
        )
    explain_engine(engine, config.engine, card)
    marker = output_folder.read_marker(output, OUTPUT) if resumes(config) else None
    begun = marker.resume_key if marker else {}
    if begun:
        version = begun.get(VERSION_KEY)
        check_format_version(version, FORMAT_VERSION, output, oldest=FORMAT_VERSION)
    tiles_per_chunk = choose_tiles_per_chunk(
        config, request.tiles.num_tiles, num_actors
    )
    ledger = Ledger(
        output,
        num_rows=request.tiles.num_tiles,
        rows_per_chunk=int(begun.get(TILES_PER_CHUNK_KEY, tiles_per_chunk)),
        rows_per_file=config.tiles_per_file,
        is_one_to_one=False,
        content_name=CONTENT_NAME,
    )
    threads = cpus_for_each(num_actors, resources)
    return Plan(request, engine, num_actors, threads, is_local, ledger)


def choose_tiles_per_chunk(
    config: DetectConfig, num_tiles: int, num_actors: int
) -> int:
    """Settle how many tiles are done, and kept, together."""
    evenly = -(-num_tiles // (num_actors * MIN_CHUNKS_PER_ACTOR))
    tiles = min(max(evenly, TILES_PER_CHUNK[0]), TILES_PER_CHUNK[-1])
    return min(tiles, config.tiles_per_file)


def on_cpus(resources: Resources) -> Resources:
    """Leave GPUs out: proposals need CPUs, and the network little."""
    return resources.without_gpus()

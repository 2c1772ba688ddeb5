"""What the benchmarks share: galaxies, a model, and the catalogs made from them.

Galaxies are made up and the model learns for one epoch, unless folders are named: what
a galaxy shows does not change how long it takes. Weights do in one way: training
decides by trial how much of the network int8 leaves in float.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models.config import NetworkName, TrainConfig
from galaxy_models.models.card import MODEL_NAME, ModelCard
from galaxy_models.models.folder import read_card
from galaxy_models.simulation import write_survey
from galaxy_models.training.labels import sides_of

ROOT = Path(__file__).parents[2]
JPEG_SUFFIXES = {".jpg", ".jpeg"}
NUM_TRAINING_GALAXIES = 40
ROWS_PER_GROUP = 100_000
LOG_TAIL_CHARACTERS = 3_000

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


Int8Engine = Literal["litert-int8", "openvino-int8"]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """What every contestant is told."""

    catalog: str
    """Parquet table of object_id and image, the absolute path of a JPEG."""

    model: str
    """Model folder that jobs.train wrote."""

    output: str
    """Folder for the Parquet files; must not exist."""

    engine: Int8Engine = "litert-int8"
    """This project's, where it predicts."""

    @property
    def keras_model(self) -> str:
        """Path of the Keras file."""
        return str(Path(self.model) / MODEL_NAME)

    def read_card(self) -> ModelCard:
        """Classes and decode rule of the model."""
        return read_card(self.model)

    def read_catalog(self) -> pa.Table:
        """All rows; a contest's catalog fits into memory."""
        return pq.read_table(self.catalog)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Flags of several benchmarks: which galaxies, which model."""

    images: str | None = None
    """Folder of JPEG files, searched with all below it; left out: make galaxies up."""

    num_galaxies: int = 500
    """Made-up galaxies, 424 px as in Galaxy Zoo 2; left out with --images."""

    model: str | None = None
    """Model folder, or a name such as galaxy-zoo; left out: train one for an epoch on
    made-up galaxies."""

    network: NetworkName = "mobilenet_v1"
    """Architecture; left out with --model."""

    image_size: int = 224
    """Side of the square that the network sees (px); left out with --model."""


def say(line: str) -> None:
    """Write a line at once: a benchmark takes long."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def num_cpus() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def held_to(*cores: int) -> Iterator[None]:
    """Start processes that keep to some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def prediction_rows(
    object_ids: Any, probabilities: NDArray[np.float32], classes: tuple[str, ...]
) -> pa.Table:
    """Lay a batch out as the rows that every contestant writes.

    Args:
        object_ids: one a galaxy.
        probabilities: float32, shape (galaxies, classes).
        classes: names in the order of the network's outputs.
    """
    best = probabilities.argmax(axis=1)
    return pa.table(
        {
            "object_id": object_ids,
            "predicted_class": [classes[index] for index in best],
            "probabilities": list(probabilities),
        }
    )


def check_rows(name: str, output: Path, num_images: int) -> None:
    """See that a contestant did its work.

    Raises:
        SystemExit: not every galaxy has a row with a class, once.
    """
    rows = pq.read_table(output, columns=["object_id", "predicted_class"])
    num_ids = len(set(rows["object_id"].to_pylist()))
    num_classes = len(rows) - rows["predicted_class"].null_count
    if not len(rows) == num_ids == num_classes == num_images:
        raise SystemExit(
            f"{name} wrote {len(rows)} rows, {num_ids} ids and {num_classes} classes "
            f"for {num_images} galaxies; no figure of it can be trusted."
        )


def has_daft(python: str) -> bool:
    """Whether an interpreter finds Daft."""
    return not subprocess.run(
        [python, "-c", "import daft"], check=False, stderr=subprocess.DEVNULL
    ).returncode


def job_command(job: str, **flags: object) -> list[str]:
    """The words of a job's command, such as ``jobs.train`` with ``epochs=2``."""
    words = [sys.executable, "-m", job]
    for field, value in flags.items():
        name = field.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words += [f"--{name}", str(value)]
    return words


def run_command(
    command: list[str], log: Path, variables: Mapping[str, str] | None = None
) -> None:
    """Run a command of this repository to its end, quietly.

    Args:
        command: the program and its arguments.
        log: file for what it says.
        variables: of its environment, beside the usual ones.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    with log.open("w") as file:
        code = subprocess.run(
            command,
            cwd=ROOT,
            env=environment() | dict(variables or {}),
            stdout=file,
            stderr=file,
            check=False,
        ).returncode
    if code:
        tail = log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        raise SystemExit(f"{' '.join(command)}\nended with {code}:\n{tail}")


def environment() -> dict[str, str]:
    """Variables of a benchmark's commands: an embedded Ray, and no chatter."""
    inherited = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    # Daft's processes look modules up by name; a script's folder is only its own.
    folders = [str(Path(__file__).parent), inherited.get("PYTHONPATH", "")]
    return inherited | QUIET | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


def list_images(images: str | None, made_up: Path, number: int, size: int) -> list[str]:
    """Absolute paths of JPEG files.

    Args:
        images: folder to search with all below it; None: make galaxies up.
        made_up: folder for made-up galaxies.
        number: of made-up galaxies.
        size: of made-up galaxies, px.

    Raises:
        SystemExit: the folder holds no JPEG file.
    """
    if images is None:
        write_survey(made_up, number, image_size=size, num_processes=num_cpus())
    folder = Path(images).absolute() if images else made_up
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in JPEG_SUFFIXES)
    if not found:
        raise SystemExit(f"no .jpg file in {folder}; name another folder with --images")
    return [str(path) for path in found]


def sides_in_training(ids: Iterable[str], card: ModelCard) -> NDArray[np.str_]:
    """Say on which side of a model's own training each galaxy was, or would have been.

    Returns:
        "training", "validation" or "test" for every id.
    """
    config = TrainConfig(
        catalog="none",
        output="none",
        validation_fraction=card.training["validation_fraction"],
        test_fraction=card.training["test_fraction"],
    )
    return sides_of(pa.array(ids), config)


def train_model(folder: Path, network: str, image_size: int, alpha: float = 1.0) -> str:
    """Train for one epoch on a few made-up galaxies.

    Returns:
        The model folder.
    """
    survey = write_survey(folder / "labelled", NUM_TRAINING_GALAXIES, image_size=64)
    model = folder / "model"
    command = job_command(
        "jobs.train",
        catalog=survey.catalog,
        network=network,
        image_size=image_size,
        alpha=alpha,
        epochs=1,
        output=model,
    )
    run_command(command, folder / "train.log")
    return str(model)


def write_catalog(path: Path, images: list[str], num_rows: int) -> None:
    """Write a catalog of any length whose rows take the same images in turn.

    Args:
        path: of the Parquet file.
        images: paths of images.
        num_rows: galaxies; ids are 0 to num_rows - 1.
    """
    schema = pa.schema([("object_id", pa.int64()), ("image", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for rows in _row_groups(images, num_rows):
            writer.write_table(pa.table(rows, schema=schema))


def _row_groups(images: list[str], num_rows: int) -> Iterator[dict[str, Any]]:
    all_images = pa.array(images)
    for first in range(0, num_rows, ROWS_PER_GROUP):
        object_ids = np.arange(first, min(first + ROWS_PER_GROUP, num_rows))
        yield {
            "object_id": object_ids,
            "image": all_images.take(pa.array(object_ids % len(images))),
        }

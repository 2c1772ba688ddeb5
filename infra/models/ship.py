"""Make a trained model folder one that comes with the package.

    python infra/models/ship.py MODEL_FOLDER NAME

Copies what scoring on CPUs and fine-tuning need, and what shows how training went; the
float LiteRT file is too large for git. The card is that of the folder, without paths
and hosts of the place where it was trained.
"""

import dataclasses
import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from galaxy_models.models.card import EMBEDDING_NAME, INT8_NAME, MODEL_NAME
from galaxy_models.models.folder import (
    CONFUSION_NAME,
    HISTORY_NAME,
    HISTORY_PLOT_NAME,
    read_card,
    write_card,
)
from galaxy_models.models.shipped import FOLDER

MAX_BYTES = {
    "galaxy-zoo": 12_000_000,
    "galaxy-zoo-detect": 6_000_000,
    "galaxy-zoo-small": 1_500_000,
}
"""Of each whole folder, in git for good."""

NUM_COLOURS = 64  # of a plot: a third of the bytes

PLOTS = (HISTORY_PLOT_NAME, CONFUSION_NAME)
SHIPPED = (MODEL_NAME, INT8_NAME, EMBEDDING_NAME, HISTORY_NAME, *PLOTS)
PATHS = (
    "catalog",
    "output",
    "start_from",
    "average_with",
    "teacher",
    "questions",
    "image_root",
    "allow_image_prefix",
)
"""Flags that hold paths or URIs: their last part is kept."""

HOSTS = ("s3_endpoint_url",)
"""Flags that name a host: nothing of them is kept."""


def ship(source: Path, name: str) -> Path:
    """Copy a model folder to where shipped models are; what stood there is replaced.

    Raises:
        ValueError: no such model is shipped, it is too large, or has no embedding.
    """
    if name not in MAX_BYTES:
        raise ValueError(f"{name} is none of {', '.join(MAX_BYTES)}")
    target = FOLDER / name
    target.mkdir(exist_ok=True)
    card = read_card(str(source))
    if card.embedding is None:
        raise ValueError(f"{source} has no embedding; add it with jobs.embed")
    for file in SHIPPED:
        shutil.copyfile(source / file, target / file)
    for plot in PLOTS:
        picture = Image.open(target / plot).convert("RGB")
        picture.quantize(NUM_COLOURS).save(target / plot, optimize=True)
    training = {key: _public(key, value) for key, value in card.training.items()}
    data = {**card.data, "catalog": _names(card.data["catalog"])}
    litert = {INT8_NAME: card.litert[INT8_NAME]}
    embedding = dataclasses.replace(
        card.embedding, catalog=_names(card.embedding.catalog)
    )
    card = dataclasses.replace(
        card, training=training, data=data, litert=litert, embedding=embedding
    )
    write_card(str(target), card)
    size = sum(path.stat().st_size for path in target.iterdir())
    if size > MAX_BYTES[name]:
        raise ValueError(f"{target} holds {size} bytes, more than {MAX_BYTES[name]}")
    return target


def _public(flag: str, value: Any) -> Any:
    """Take what names a place out of a flag's value."""
    if flag in HOSTS:
        return None
    return _names(value) if flag in PATHS else value


def _names(paths: Any) -> Any:
    """Leave the last part of a path, or of each of several; of a URI never its host."""
    if isinstance(paths, list | tuple):
        return [_names(path) for path in paths]
    return PurePosixPath(urlsplit(paths).path).name if paths else paths


if __name__ == "__main__":
    sys.stdout.write(f"{ship(Path(sys.argv[1]), sys.argv[2])}\n")

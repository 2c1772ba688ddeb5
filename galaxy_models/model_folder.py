"""The model folder: everything that scoring needs, in one place.

    model.keras                      the network with its weights
    model.json                       the card: classes, decode rule, figures, hash
    history.csv, history.png         a row and a point an epoch
    confusion_matrix.png             validation galaxies
    validation_predictions.parquet   every validation galaxy with its probabilities

Reading a card does not import TensorFlow, and loading a model runs no code from the
folder (Keras' safe mode). This module does not know Ray.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import ConfigError, ModelFolderError
from galaxy_models.images import DecodeRule

MODEL_NAME = "model.keras"
CARD_NAME = "model.json"
HISTORY_NAME = "history.csv"
HISTORY_PLOT_NAME = "history.png"
CONFUSION_NAME = "confusion_matrix.png"
VALIDATION_NAME = "validation_predictions.parquet"
VERSIONED_PACKAGES = ("keras", "numpy", "pillow", "pyarrow", "ray", "tensorflow")


@dataclass(frozen=True)
class ModelCard:
    """What a model is and where it comes from; ``model.json``."""

    network: str
    """Architecture, a name of ``NETWORKS``."""

    classes: tuple[str, ...]
    """Class names in the order of the network's outputs."""

    decode_rule: DecodeRule
    """How an image became pixels in training, and must at scoring."""

    model_hash: str
    """SHA-256 of ``model.keras``; names the model."""

    training: dict[str, Any] = field(default_factory=dict)
    """The configuration that ``jobs.train`` ran with."""

    data: dict[str, Any] = field(default_factory=dict)
    """The labelled catalog: where, its fingerprint, galaxies a class and side."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Figures on the validation galaxies, of the weights that were kept."""

    versions: dict[str, str] = field(default_factory=dict)
    """Library versions in training."""


def hash_model(data: bytes) -> str:
    """Name a model by its content: SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what decides a result, for the record."""
    found = {name: importlib.metadata.version(name) for name in VERSIONED_PACKAGES}
    return {"python": platform.python_version(), **found}


def write_card(folder_uri: str, card: ModelCard) -> None:
    """Write ``model.json``; the last file of a model folder."""
    text = json.dumps(dataclasses.asdict(card), indent=2, ensure_ascii=False)
    storage.write_bytes(storage.join(folder_uri, CARD_NAME), text.encode() + b"\n")


def read_card(folder_uri: str) -> ModelCard:
    """Read a model folder's card and check that the folder is whole.

    Raises:
        ModelFolderError: the folder or a part of it is missing, the card cannot be
            understood, or ``model.keras`` is not the file that it names.
    """
    folder_uri = storage.absolute_uri(folder_uri)
    if not storage.is_folder(folder_uri):
        raise ModelFolderError(
            f"no model folder at {folder_uri}; check --model, or make one with "
            "`python -m jobs.train`."
        )
    present = storage.list_names(folder_uri)
    missing = [name for name in (CARD_NAME, MODEL_NAME) if name not in present]
    if missing:
        raise ModelFolderError(
            f"the model folder {folder_uri} lacks {' and '.join(missing)}; it holds "
            f"{', '.join(present) or 'nothing'}. Was its training interrupted?"
        )
    card = _parse_card(folder_uri)
    if hash_model(storage.read_bytes(storage.join(folder_uri, MODEL_NAME))) != (
        card.model_hash
    ):
        raise ModelFolderError(
            f"{MODEL_NAME} in {folder_uri} is not the file that {CARD_NAME} names by "
            f"its hash {card.model_hash[:12]}…; copy the folder again, whole."
        )
    return card


def _parse_card(folder_uri: str) -> ModelCard:
    uri = storage.join(folder_uri, CARD_NAME)
    try:
        content = json.loads(storage.read_bytes(uri))
        content["decode_rule"] = DecodeRule(**content["decode_rule"])
        content["classes"] = tuple(content["classes"])
        return ModelCard(**content)
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFolderError(f"cannot understand {uri}: {error!r}") from error


def load_model(folder_uri: str) -> Any:
    """Load the trained network.

    Returns:
        A ``keras.Model``: uint8 (galaxies, size, size, 3) in, float32 probabilities
        (galaxies, classes) out.

    Raises:
        ModelFolderError: as for ``read_card``, or the network does not fit the card.
    """
    import keras  # here, so that reading a card stays cheap

    card = read_card(folder_uri)
    data = storage.read_bytes(storage.join(folder_uri, MODEL_NAME))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_NAME
        path.write_bytes(data)
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except ValueError as error:
            raise ModelFolderError(
                f"Keras cannot load {MODEL_NAME} in {folder_uri}: {error}"
            ) from error
    expected = (None, len(card.classes))
    if model.output_shape != expected:
        raise ModelFolderError(
            f"{MODEL_NAME} in {folder_uri} puts out {model.output_shape}, but "
            f"{CARD_NAME} names {len(card.classes)} classes."
        )
    return model

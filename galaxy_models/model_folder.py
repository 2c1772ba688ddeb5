"""The model folder: everything that scoring needs, in one place.

    model.keras                      the network with its weights
    model_int8.tflite                the same for CPUs: 8-bit integers (LiteRT)
    model_float.tflite               the same for CPUs: 32-bit floats (LiteRT)
    model.json                       the card: classes, decode rule, figures, hash
    history.csv, history.png         a row and a point an epoch
    confusion_matrix.png             validation galaxies
    validation_predictions.parquet   every validation galaxy with its probabilities
    test_labels.parquet              galaxies that training never saw, if any

Reading a card does not import TensorFlow, and loading a model runs no code from the
folder, whoever made it: only numbers are taken from it (see ``trained_network``). This
module does not know Ray.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass, field
from math import inf
from typing import Any

from galaxy_models import storage, trained_network
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ConfigError, ModelFolderError
from galaxy_models.litert import LiteRTNetwork
from galaxy_models.shipped_models import model_folder_uri, shipped_names

MODEL_NAME = "model.keras"
INT8_NAME = "model_int8.tflite"
FLOAT_NAME = "model_float.tflite"
CARD_NAME = "model.json"
HISTORY_NAME = "history.csv"
HISTORY_PLOT_NAME = "history.png"
CONFUSION_NAME = "confusion_matrix.png"
VALIDATION_NAME = "validation_predictions.parquet"
TEST_NAME = "test_labels.parquet"
VERSIONED_PACKAGES = (
    "ai-edge-litert", "astropy", "keras", "numpy", "opencv-python-headless", "pillow",
    "pyarrow", "ray", "simplejpeg", "tensorflow",
)  # fmt: skip


@dataclass(frozen=True)
class LiteRTRecord:
    """A LiteRT file of the folder, and how its predictions compare with Keras'.

    All figures are over the validation galaxies.
    """

    file_hash: str
    """SHA-256 of the file."""

    agreement: float
    """Share of galaxies given the class that ``model.keras`` gives, 0 to 1."""

    val_accuracy: float
    """Share of galaxies given their label, 0 to 1; ``metrics`` has Keras'."""

    max_probability_difference: float
    """Largest difference of any class's probability from Keras', 0 to 1."""

    num_galaxies: int
    """Galaxies compared."""

    num_float_layers: int = 0
    """int8 only: leading convolutions kept in float, so that faint light survives."""


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

    num_epochs: int = 0
    """Epochs that were trained; 0 in folders of older versions."""

    temperature: float = 1.0
    """What scoring divides the logits by, so that probabilities mean what they say;
    fitted on the validation galaxies. 1, as in folders of version 0.1, for none."""

    litert: dict[str, LiteRTRecord] = field(default_factory=dict)
    """The folder's LiteRT files by name; empty in folders of version 0.1."""

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


def read_card(model: str) -> ModelCard:
    """Read a model folder's card and check that the folder is whole.

    Args:
        model: a shipped model's name, or the path or URI of a model folder.

    Raises:
        ModelFolderError: the folder or a part of it is missing, the card cannot be
            understood, or ``model.keras`` is not the file that it names.
    """
    folder_uri = model_folder_uri(model)
    if not storage.is_folder(folder_uri):
        raise ModelFolderError(
            f"no model folder at {folder_uri}; check --model: it names a folder that "
            "`python -m jobs.train` made, or a model that comes with the package: "
            f"{', '.join(shipped_names())}."
        )
    present = storage.list_names(folder_uri)
    missing = [name for name in (CARD_NAME, MODEL_NAME) if name not in present]
    if missing:
        raise ModelFolderError(
            f"the model folder {folder_uri} lacks {' and '.join(missing)}; it holds "
            f"{', '.join(present) or 'nothing'}. Was its training interrupted?"
        )
    card = _parse_card(folder_uri)
    hashes = {name: record.file_hash for name, record in card.litert.items()}
    for name, expected in {MODEL_NAME: card.model_hash, **hashes}.items():
        _check_hash(folder_uri, name, expected)
    return card


def files(model: str, card: ModelCard) -> list[str]:
    """Name the files that all hosts must see; none of a model that each one brings."""
    if model in shipped_names():
        return []
    folder_uri = storage.absolute_uri(model)
    names = (CARD_NAME, MODEL_NAME, *card.litert)
    return [storage.join(folder_uri, name) for name in names]


def _check_hash(folder_uri: str, name: str, expected: str) -> None:
    try:
        data = storage.read_bytes(storage.join(folder_uri, name))
    except FileNotFoundError as error:
        raise ModelFolderError(
            f"the model folder {folder_uri} lacks {name}, which its {CARD_NAME} names; "
            "copy the folder again, whole."
        ) from error
    if hash_model(data) != expected:
        raise ModelFolderError(
            f"{name} in {folder_uri} is not the file that {CARD_NAME} names by its "
            f"hash {expected[:12]}…; copy the folder again, whole."
        )


def _parse_card(folder_uri: str) -> ModelCard:
    uri = storage.join(folder_uri, CARD_NAME)
    try:
        content = json.loads(storage.read_bytes(uri))
        content["decode_rule"] = _parse_rule(content["decode_rule"])
        content["classes"] = tuple(content["classes"])
        content["litert"] = {
            name: LiteRTRecord(**record)
            for name, record in content.get("litert", {}).items()
        }
        card = ModelCard(**content)
        _check_values(card)
        return card
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFolderError(f"cannot understand {uri}: {error!r}") from error


def _check_values(card: ModelCard) -> None:
    """Refuse a card that no training wrote.

    Raises:
        ValueError: saying what is wrong.
    """
    if not 0 < card.temperature < inf:
        raise ValueError(f"temperature {card.temperature}: above 0 and finite")
    if not all(isinstance(name, str) for name in card.classes):
        raise ValueError(f"classes {list(card.classes)}: names only")
    if not isinstance(card.training, dict):
        raise ValueError(f"training {card.training!r}: flags and their values")
    strange = set(card.litert).difference((INT8_NAME, FLOAT_NAME))
    if strange:  # a path, maybe, that leads out of the folder
        raise ValueError(f"litert {sorted(strange)}: no such files")


def _parse_rule(content: dict[str, Any]) -> DecodeRule:
    bands = tuple(content.get("fits_bands", ()))  # JSON knows only lists
    return DecodeRule(**{**content, "fits_bands": bands})


def load_model(model: str) -> Any:
    """Load the trained network.

    Args:
        model: see ``read_card``.

    Returns:
        A ``keras.Model``: uint8 (galaxies, size, size, 3) in, float32 probabilities
        (galaxies, classes) out.

    Raises:
        ModelFolderError: as for ``read_card``, or the network does not fit the card.
    """
    card, folder_uri = read_card(model), model_folder_uri(model)
    data = storage.read_bytes(storage.join(folder_uri, MODEL_NAME))
    try:
        return load_network(
            data,
            card.network,
            len(card.classes),
            card.decode_rule.image_size,
            card.training.get("alpha", 1.0),
        )
    except (ValueError, TypeError, ConfigError) as error:
        raise ModelFolderError(
            f"{MODEL_NAME} in {folder_uri} is not the {card.network} with "
            f"{len(card.classes)} classes that {CARD_NAME} says: {error}."
        ) from error


def load_network(
    data: bytes, name: str, num_classes: int, image_size: int, alpha: float
) -> Any:
    """Build a network and give it the weights of ``model.keras``; runs nothing of it.

    Args:
        data: the bytes of ``model.keras``.
        name: the architecture; this and the rest as for ``networks.build_network``.
        num_classes: see there.
        image_size: see there.
        alpha: see there.

    Raises:
        ConfigError: there is no such network.
        ValueError: these are not its weights.
    """
    from galaxy_models.networks import build_network  # imports TensorFlow

    network = build_network(name, num_classes, image_size, alpha)
    trained_network.load_weights(network, data)
    return network


def load_litert(
    model: str, file_name: str, threads: int, *, optimised: bool = True
) -> LiteRTNetwork:
    """Load one of the folder's LiteRT files.

    Args:
        model: see ``read_card``.
        file_name: ``INT8_NAME`` or ``FLOAT_NAME``.
        threads: CPU threads that it may use.
        optimised: as for ``LiteRTNetwork``.

    Returns:
        The network, ready to predict; TensorFlow is not imported.

    Raises:
        ModelFolderError: as for ``read_card``, or the file does not fit the card.
    """
    card, folder_uri = read_card(model), model_folder_uri(model)
    data = storage.read_bytes(storage.join(folder_uri, file_name))
    try:
        network = LiteRTNetwork(data, threads, optimised=optimised)
    except ModelFolderError as error:
        raise ModelFolderError(f"{file_name} in {folder_uri}: {error}") from error
    size = card.decode_rule.image_size
    found = network.input_shape, network.output_shape
    if found != ((1, size, size, 3), (1, len(card.classes))):
        raise ModelFolderError(
            f"{file_name} in {folder_uri} takes images of shape {found[0]} and puts "
            f"out {found[1]}, but {CARD_NAME} says {size}×{size} px and "
            f"{len(card.classes)} classes."
        )
    return network

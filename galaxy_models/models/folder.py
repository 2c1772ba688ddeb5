"""The model folder: everything that scoring needs, in one place.

    model.keras                      the network with its weights
    model_int8.tflite                the same for CPUs: 8-bit integers (LiteRT)
    model_float.tflite               the same for CPUs: 32-bit floats (LiteRT)
    model.json                       the card: classes, decode rule, figures, hash
    embedding.npz                    principal components of the network's features
    history.csv, history.png         a row and a point an epoch
    confusion_matrix.png             validation galaxies
    validation_predictions.parquet   every validation galaxy with its probabilities
    test_labels.parquet              galaxies that training never saw, if any

Reading a card does not import TensorFlow, and loading a model runs no code from the
folder, whoever made it: only numbers are taken from it (see ``trained_network``). This
module does not know Ray.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from galaxy_models import storage
from galaxy_models.errors import ConfigError, ModelFolderError
from galaxy_models.models import embedding, keras_weights
from galaxy_models.models.card import (
    CARD_NAME,
    EMBEDDING_NAME,
    FLOAT_NAME,
    INT8_NAME,
    MODEL_NAME,
    ModelCard,
    card_to_json,
    hash_model,
    parse_card,
)
from galaxy_models.models.embedding import Embedding
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.shipped import model_folder_uri, shipped_names

HISTORY_NAME = "history.csv"
HISTORY_PLOT_NAME = "history.png"
CONFUSION_NAME = "confusion_matrix.png"
VALIDATION_NAME = "validation_predictions.parquet"
VOTES_PLOT_NAME = "vote_errors.png"
TEST_NAME = "test_labels.parquet"
FILE_NAMES = (
    CARD_NAME, MODEL_NAME, INT8_NAME, FLOAT_NAME, EMBEDDING_NAME, HISTORY_NAME,
    HISTORY_PLOT_NAME, CONFUSION_NAME, VALIDATION_NAME, VOTES_PLOT_NAME, TEST_NAME,
)  # fmt: skip


class Sized(Protocol):
    """A network whose sizes are known."""

    input_shape: tuple[int, ...]
    """(images, height, width, 3)."""
    num_outputs: int
    num_features: int
    """0 for a network without."""


def write_card(folder_uri: str, card: ModelCard) -> None:
    """Write ``model.json``; the last file of a model folder."""
    storage.write_bytes(storage.join(folder_uri, CARD_NAME), card_to_json(card))


def read_card(model: str) -> ModelCard:
    """Read a model folder's card and check that its files are there.

    What is in a file is checked when it is used: see ``read_model_file``.

    Args:
        model: a shipped model's name, or the path or URI of a model folder.

    Raises:
        ModelFolderError: the folder or a part of it is missing, or the card cannot be
            understood.
    """
    folder_uri = model_folder_uri(model)
    if not storage.is_folder(folder_uri):
        raise ModelFolderError(
            f"no model folder at {folder_uri}; check --model: it names a folder that "
            "jobs.train made, or a model that comes with the package: "
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
    for name in named_files(card):
        if name not in present:
            raise _lacks(folder_uri, name)
    return card


def named_files(card: ModelCard) -> dict[str, str]:
    """Give the hash of each file that a card names."""
    litert = {name: record.file_hash for name, record in card.litert.items()}
    files = {MODEL_NAME: card.model_hash, **litert}
    if card.embedding is not None:
        files[EMBEDDING_NAME] = card.embedding.file_hash
    return files


def required_files(model: str, card: ModelCard) -> list[str]:
    """Name the files that all hosts must see; none of a model that each one brings."""
    if model in shipped_names():
        return []
    folder_uri = storage.absolute_uri(model)
    names = (CARD_NAME, *named_files(card))
    return [storage.join(folder_uri, name) for name in names]


def read_model_file(model: str, card: ModelCard, name: str) -> bytes:
    """Read a file of a model folder, once, and check that it is the card's.

    Args:
        model: see ``read_card``.
        card: of that folder.
        name: one of ``named_files``.

    Raises:
        ModelFolderError: the file is missing, or is not the one that the card names.
    """
    folder_uri = model_folder_uri(model)
    expected = named_files(card)[name]
    try:
        data = storage.read_bytes(storage.join(folder_uri, name))
    except FileNotFoundError as error:
        raise _lacks(folder_uri, name) from error
    if hash_model(data) != expected:
        raise ModelFolderError(
            f"{name} in {folder_uri} is not the file that {CARD_NAME} names by its "
            f"hash {expected[:12]}…; copy the folder again, whole."
        )
    return data


def _lacks(folder_uri: str, name: str) -> ModelFolderError:
    return ModelFolderError(
        f"the model folder {folder_uri} lacks {name}, which its {CARD_NAME} names; "
        "copy the folder again, whole."
    )


def _parse_card(folder_uri: str) -> ModelCard:
    uri = storage.join(folder_uri, CARD_NAME)
    try:
        return parse_card(storage.read_bytes(uri))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFolderError(f"cannot understand {uri}: {error!r}") from error


def load_model(model: str, card: ModelCard | None = None) -> Any:
    """Load the trained network.

    Args:
        model: see ``read_card``.
        card: of that folder; read here if left out.

    Returns:
        A ``keras.Model``: uint8 (galaxies, size, size, 3) in, float32 (galaxies,
        outputs of the card's head) out.

    Raises:
        ModelFolderError: as for ``read_model_file``, or the network does not fit the
            card.
    """
    card = card or read_card(model)
    data = read_model_file(model, card, MODEL_NAME)
    try:
        return load_network(data, card.network_arguments)
    except (ValueError, TypeError, ConfigError) as error:
        raise ModelFolderError(
            f"{MODEL_NAME} in {model_folder_uri(model)} is not the {card.network} with "
            f"{len(card.head.output_names)} {card.head.kind} that {CARD_NAME} says: "
            f"{error}."
        ) from error


def load_network(data: bytes, arguments: Mapping[str, Any]) -> Any:
    """Build a network and give it the weights of ``model.keras``; runs nothing of it.

    Args:
        data: the bytes of ``model.keras``.
        arguments: keywords of ``networks.build_network``.

    Raises:
        ConfigError: there is no such network.
        ValueError: these are not its weights.
    """
    from galaxy_models.models.networks import build_network

    network = build_network(**arguments)
    keras_weights.load_weights(network, data)
    return network


def load_litert(
    model: str,
    card: ModelCard,
    file_name: str,
    threads: int,
    *,
    optimised: bool = True,
) -> LiteRTNetwork:
    """Load one of the folder's LiteRT files.

    Args:
        model: see ``read_card``.
        card: of that folder.
        file_name: ``INT8_NAME`` or ``FLOAT_NAME``.
        threads: CPU threads that it may use.
        optimised: as for ``LiteRTNetwork``.

    Returns:
        The network, ready to predict; TensorFlow is not imported.

    Raises:
        ModelFolderError: as for ``read_model_file``, or the file does not fit the card.
    """
    data, folder_uri = read_model_file(model, card, file_name), model_folder_uri(model)
    try:
        network = LiteRTNetwork(data, threads, optimised=optimised)
    except ModelFolderError as error:
        raise ModelFolderError(f"{file_name} in {folder_uri}: {error}") from error
    check_shapes(card, f"{file_name} in {folder_uri}", network)
    return network


def check_shapes(card: ModelCard, file: str, network: Sized) -> None:
    """Refuse a network of other images, outputs or features than its card says.

    Args:
        card: the model's.
        file: and where it lies, for the message.
        network: what was made of it.

    Raises:
        ModelFolderError: they do not fit.
    """
    size, expected = card.decode_rule.image_size, len(card.head.output_names)
    image_shape, num_outputs = network.input_shape[1:], network.num_outputs
    if (image_shape, num_outputs) != ((size, size, 3), expected):
        raise ModelFolderError(
            f"{file} takes images of shape {image_shape} and puts out {num_outputs} "
            f"values, but {CARD_NAME} says {size}×{size} px and {expected} "
            f"{card.head.kind}."
        )
    expected = card.embedding.num_features if card.embedding else network.num_features
    if network.num_features != expected:
        raise ModelFolderError(
            f"{file} puts out {network.num_features} features, but {CARD_NAME} says "
            f"{expected}; copy the folder again, whole."
        )


def load_embedding(model: str, card: ModelCard) -> Embedding:
    """Load the principal components of a model's features.

    Args:
        model: see ``read_card``.
        card: of that folder; it has an embedding.

    Raises:
        ModelFolderError: as for ``read_model_file``, or the file does not fit the card.
    """
    assert card.embedding is not None
    record = card.embedding
    data, folder_uri = (
        read_model_file(model, card, EMBEDDING_NAME),
        model_folder_uri(model),
    )
    try:
        found = embedding.from_bytes(data)
    except ValueError as error:
        raise ModelFolderError(f"{EMBEDDING_NAME} in {folder_uri}: {error}.") from error
    sizes = found.num_components, found.num_features
    if sizes != (record.num_components, record.num_features):
        raise ModelFolderError(
            f"{EMBEDDING_NAME} in {folder_uri} has {sizes[0]} components of {sizes[1]} "
            f"features, but {CARD_NAME} says {record.num_components} of "
            f"{record.num_features}."
        )
    return found

"""``model.keras`` -> a network of this project's, with the file's weights.

The file also says how to build a network. That is not followed: Keras would make
whatever layers and functions it names, of which its safe mode forbids only those that
are known to run code. Here a network is built by its name, and only numbers are read.
"""

import io
import json
import tempfile
import zipfile
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imports TensorFlow
    import keras

CONFIG_NAME = "config.json"  # inside model.keras, Keras' own names
WEIGHTS_NAME = "model.weights.h5"
MAX_MEMBER_BYTES = 2**30  # unpacked; the largest network's weights take 32 MB
MAX_SHOWN = 200  # characters of a layer's name


def load_weights(network: "keras.Model", data: bytes) -> None:
    """Give a network the weights of a trained one of the same architecture.

    Args:
        network: built, of the architecture that was trained.
        data: the bytes of ``model.keras``.

    Raises:
        ValueError: saying in a line why these are no weights of such a network.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = _layers_in(_read(archive, CONFIG_NAME))
            weights = _read(archive, WEIGHTS_NAME)
    except (zipfile.BadZipFile, KeyError, RuntimeError, EOFError) as error:
        raise ValueError(f"no file of Keras' ({error})") from error
    _check_layers(found, network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / WEIGHTS_NAME
        path.write_bytes(weights)
        try:
            network.load_weights(path)
        except Exception as error:  # of damaged HDF5 it makes nearly any type
            reason = " ".join(str(error).split())
            raise ValueError(f"its weights cannot be read: {reason}") from error


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size  # and more is not unpacked
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} in it has {size} bytes, over {MAX_MEMBER_BYTES}")
    return archive.read(name)


def _layers_in(config: bytes) -> list[str]:
    """Name the layers that a file says it has, each with its kind."""
    try:
        layers = json.loads(config)["config"]["layers"]
        return [f"{one['config']['name']} ({one['class_name']})" for one in layers]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no network stands in its {CONFIG_NAME}") from error


def _check_layers(found: list[str], network: "keras.Model") -> None:
    """Refuse another architecture: weights are told apart by their order only."""
    own = [f"{one.name} ({type(one).__name__})" for one in network.layers]
    for theirs, ours in zip_longest(found, own, fillvalue="nothing"):
        if theirs != ours:
            raise ValueError(
                f"it has {theirs[:MAX_SHOWN]!r} where {network.name} has {ours!r}"
            )

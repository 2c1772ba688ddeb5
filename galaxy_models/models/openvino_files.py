"""A model folder -> OpenVINO's network of it, and how far that says what others say.

In integers it is LiteRT's int8 file, as OpenVINO reads it (``openvino_int8``). For
floats OpenVINO does not read ``model.keras``, and not every folder has LiteRT's float
file. So Keras exports the network through its own OpenVINO backend, in a process that
imports no TensorFlow (some seconds). Both are compared with the model's other engines
on made-up galaxies. What was exported is kept in a cache, with its comparison.

The cache is the user's, a file a model and version of OpenVINO; it may be deleted.
"""

import importlib.metadata
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from galaxy_models import storage
from galaxy_models.cluster.ray_output import stderr_unheard
from galaxy_models.cluster.this_machine import this_machine
from galaxy_models.config import EngineName
from galaxy_models.errors import ModelFolderError, StorageError
from galaxy_models.models.card import (
    FLOAT_NAME,
    INT8_NAME,
    MODEL_NAME,
    ModelCard,
)
from galaxy_models.models.folder import check_shapes, load_litert, read_model_file
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.openvino_export import GRAPH_NAME, WEIGHTS_NAME
from galaxy_models.models.openvino_int8 import openvino_int8
from galaxy_models.models.openvino_network import (
    OpenVINONetwork,
    Precision,
    check_installed,
    has_bf16,
    read_graph,
)
from galaxy_models.models.sample_galaxies import sample_galaxies
from galaxy_models.models.shipped import model_folder_uri

logger = logging.getLogger(__name__)

PRECISIONS: dict[EngineName, Precision] = {
    "openvino-int8": "f32",  # of what is not in integers
    "openvino-bf16": "bf16",
    "openvino-float": "f32",
}
FORMAT_VERSION = 2  # of the cache's files, and of what is exported and compared
NUM_COMPARED = 400  # galaxies: chance moves a share of 0.99 by 0.005
AGREEMENTS_NAME = "agreements.json"  # in a file of the cache
EXPORT_TIMEOUT_S = 600.0  # it takes 4 s; more where Python's files are far away

_not_kept: dict[Path, "OpenVINOFiles"] = {}  # the last, if the cache takes no files


@dataclass(frozen=True)
class OpenVINOFiles:
    """A network as OpenVINO reads it."""

    graph: bytes
    weights: bytes
    agreements: dict[EngineName, float]
    """How far each engine that this processor can run says what the trained network
    says, 0 to 1, on made-up galaxies; see ``heads``. Of float32 against the folder's
    LiteRT file, of the others against float32."""


def load_openvino(
    model: str, card: ModelCard, name: EngineName, threads: int
) -> OpenVINONetwork:
    """Load a model folder's network into OpenVINO; TensorFlow is not imported.

    Args:
        model: a ``model_reference``.
        card: the model's; for ``openvino-int8`` it has LiteRT's int8 file.
        name: one of ``PRECISIONS``.
        threads: CPU threads that it may use.

    Raises:
        ConfigError: OpenVINO is not installed.
        ModelFolderError: the network cannot be read or exported.
    """
    check_installed(f"--engine {name}")
    if name == "openvino-int8":
        return _loaded_int8(model, card, threads)
    return _loaded(openvino_files(model, card), model, card, name, threads)


def _loaded_int8(model: str, card: ModelCard, threads: int) -> OpenVINONetwork:
    file = f"{INT8_NAME} in {model_folder_uri(model)}"
    data = read_model_file(model, card, INT8_NAME)
    try:
        LiteRTNetwork(data, threads=1, optimised=False)  # which refuses what is none
        graph = openvino_int8(data)
    except ModelFolderError as error:
        raise ModelFolderError(f"{file}: {error}") from error
    network = OpenVINONetwork(graph, threads, PRECISIONS["openvino-int8"])
    check_shapes(card, file, network)
    return network


def _loaded(
    files: OpenVINOFiles, model: str, card: ModelCard, name: EngineName, threads: int
) -> OpenVINONetwork:
    graph = read_graph(files.graph, files.weights)
    network = OpenVINONetwork(graph, threads, PRECISIONS[name])
    check_shapes(card, f"{MODEL_NAME} in {model_folder_uri(model)}", network)
    return network


def openvino_files(model: str, card: ModelCard) -> OpenVINOFiles:
    """Read OpenVINO's files of a model from the cache, or make them.

    Args:
        model: a ``model_reference``.
        card: the model's.

    Raises:
        ModelFolderError: ``model.keras`` is not the card's, or cannot be exported.
    """
    path = cached_path(card)
    files = _not_kept.get(path) or _read(path)
    if files is None:
        files = _made(model, card)
        _keep(path, files)
    return files


def cached_path(card: ModelCard) -> Path:
    """Name the file of the cache for a model, these versions and this processor."""
    versions = [importlib.metadata.version(name) for name in ("openvino", "keras")]
    kind = "bf16" if has_bf16() else "float"
    name = "-".join([card.model_hash, *versions, kind, f"v{FORMAT_VERSION}"])
    return platformdirs.user_cache_path("galaxy-batch") / "openvino" / f"{name}.zip"


def _read(path: Path) -> OpenVINOFiles | None:
    """Read a file of the cache; None if there is none, or it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:  # which compares checksums
            graph, weights = archive.read(GRAPH_NAME), archive.read(WEIGHTS_NAME)
            agreements = dict(json.loads(archive.read(AGREEMENTS_NAME)))
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        logger.warning("%s is damaged (%s): it is made anew", path, error)
        return None
    return OpenVINOFiles(graph, weights, agreements)


def _keep(path: Path, files: OpenVINOFiles) -> None:
    """Write a file of the cache whole, or keep it in memory where that fails."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(GRAPH_NAME, files.graph)
        archive.writestr(WEIGHTS_NAME, files.weights)
        archive.writestr(AGREEMENTS_NAME, json.dumps(files.agreements))
    try:
        storage.write_bytes(str(path), stream.getvalue())
    except StorageError as error:
        logger.warning("OpenVINO's files of the model are not kept: %s", error)
        _not_kept.clear()
        _not_kept[path] = files


def _made(model: str, card: ModelCard) -> OpenVINOFiles:
    """Export a network, and compare it with the model's other engines."""
    logger.info("preparing the model for OpenVINO: once, some seconds")
    graph, weights = _exported(model, card)
    files = OpenVINOFiles(graph, weights, {})
    return OpenVINOFiles(graph, weights, _agreements(files, model, card))


def _exported(model: str, card: ModelCard) -> tuple[bytes, bytes]:
    """Let a process with Keras' OpenVINO backend write OpenVINO's two files."""
    data = read_model_file(model, card, MODEL_NAME)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, MODEL_NAME).write_bytes(data)
        try:
            subprocess.run(
                # -P: no module of the working folder's is imported.
                [sys.executable, "-P", "-m", "galaxy_models.models.openvino_export"]
                + [folder],
                input=json.dumps(card.network_arguments),
                env=_environment(),
                capture_output=True,
                text=True,
                check=True,
                timeout=EXPORT_TIMEOUT_S,
            )
        except subprocess.SubprocessError as error:
            raise _refusal(model, error) from error
        graph, weights = Path(folder, GRAPH_NAME), Path(folder, WEIGHTS_NAME)
        return graph.read_bytes(), weights.read_bytes()


def _environment() -> dict[str, str]:
    """Let a new process find the modules that this one finds."""
    paths = [path or os.getcwd() for path in sys.path]
    return {
        **os.environ,
        "KERAS_BACKEND": "openvino",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _refusal(model: str, error: subprocess.SubprocessError) -> ModelFolderError:
    lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
    return ModelFolderError(
        f"OpenVINO cannot take {MODEL_NAME} in {model_folder_uri(model)}: {lines[-1]}; "
        "copy the folder again, whole, or choose another engine."
    )


def _agreements(
    files: OpenVINOFiles, model: str, card: ModelCard
) -> dict[EngineName, float]:
    """Compare the engines of this processor on made-up galaxies."""
    threads = this_machine().num_cpus
    images = sample_galaxies(NUM_COMPARED, card.decode_rule.image_size)
    network = _loaded(files, model, card, "openvino-float", threads)
    in_float = network.predict(images)
    agreements: dict[EngineName, float] = {"openvino-float": 1.0}
    agreeing = [
        name
        for name in (FLOAT_NAME, INT8_NAME)
        if name in card.litert and card.litert[name].agrees
    ]
    for name in agreeing[:1]:  # without any there is nothing to compare with
        with stderr_unheard():  # LiteRT announces its first engine there
            expected = load_litert(model, card, name, threads).predict(images)
        agreements["openvino-float"] = card.head.agreement(in_float, expected)
    if has_bf16():
        network = _loaded(files, model, card, "openvino-bf16", threads)
        found = network.predict(images)
        agreements["openvino-bf16"] = card.head.agreement(found, in_float)
    if INT8_NAME in card.litert:
        found = _loaded_int8(model, card, threads).predict(images)
        agreements["openvino-int8"] = card.head.agreement(found, in_float)
    return agreements

"""``model.keras`` -> OpenVINO's files, in a process of its own, without TensorFlow.

    python -m galaxy_models.models.openvino_export FOLDER < network.json

``KERAS_BACKEND=openvino`` must be set: a process has one Keras with one backend. The
network is built by its name and only numbers are read from ``model.keras``, as where
``folder`` loads a model. ``openvino_files`` starts this and reads what it writes.
"""

import json
import sys
from pathlib import Path

from galaxy_models.models.card import MODEL_NAME
from galaxy_models.models.folder import load_network
from galaxy_models.models.openvino_network import BATCH_SIZE

GRAPH_NAME = "model.xml"  # OpenVINO's own names
WEIGHTS_NAME = "model.bin"


def export(folder: Path, network: dict[str, object]) -> None:
    """Write OpenVINO's two files for ``BATCH_SIZE`` images at a time.

    Args:
        folder: holds ``model.keras``, and takes the files.
        network: the keywords of ``networks.build_network``.

    Raises:
        ValueError, ConfigError: as for ``folder.load_network``.
    """
    import keras

    from galaxy_models.models.networks import with_features_output

    data = (folder / MODEL_NAME).read_bytes()
    model = with_features_output(load_network(data, network))
    shape = (BATCH_SIZE, *model.inputs[0].shape[1:])
    signature = [keras.InputSpec(shape=shape, dtype="uint8")]
    path = str(folder / GRAPH_NAME)
    model.export(path, format="openvino", verbose=False, input_signature=signature)


if __name__ == "__main__":
    export(Path(sys.argv[1]), json.load(sys.stdin))

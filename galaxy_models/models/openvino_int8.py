"""A LiteRT int8 file -> an OpenVINO model with the same integers and scales.

Quantised anew, OpenVINO's own way, the network kept 98 % of its classes; with LiteRT's
scales and rounded weights it keeps what LiteRT's file keeps. OpenVINO (2026.4) reads
such files, but not all that stands in those that are written today: weights behind the
graph, newer operations' codes. Both are rewritten before, and nothing is computed anew.

In memory, but for a file while OpenVINO reads; knows neither folders nor cards.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from galaxy_models.errors import ModelFolderError
from galaxy_models.models.litert_outputs import buffer_bytes, packed
from galaxy_models.models.openvino_network import BATCH_SIZE, core

LAST_OLD_CODE = 127  # what the older of two fields says of operations above it
AS_MANY = -1  # rows of a reshape, as many as there are


def openvino_int8(data: bytes) -> Any:
    """Read a LiteRT file as OpenVINO does.

    Args:
        data: the file's bytes; it takes one uint8 image.

    Returns:
        An ``openvino.Model``: ``BATCH_SIZE`` uint8 images in; float32 outputs out, and
        features if the file has them.

    Raises:
        ModelFolderError: OpenVINO cannot read it.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.tflite")  # whose ending says what it is
            path.write_bytes(_readable(data))
            model = core().read_model(path)
        model.reshape([BATCH_SIZE, *list(model.inputs[0].shape)[1:]])
    except RuntimeError as error:
        raise ModelFolderError(f"OpenVINO cannot read it: {error}") from error
    for operation in model.get_ops():
        if operation.get_type_name() == "GroupConvolution":
            _keep_integers(operation)
    return model


def _readable(data: bytes) -> bytes:
    """Write a file as OpenVINO's reader expects it, for any number of images."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for buffer in model.buffers:
        content = buffer_bytes(buffer, data)
        buffer.data = np.frombuffer(content, np.uint8) if content else None
        buffer.offset = buffer.size = 0
    for code in model.operatorCodes:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
        code.deprecatedBuiltinCode = min(code.builtinCode, LAST_OLD_CODE)
    for graph in model.subgraphs:
        for operator in graph.operators:
            kind = model.operatorCodes[operator.opcodeIndex].builtinCode
            if kind == schema.BuiltinOperator.RESHAPE:
                shape = model.buffers[graph.tensors[operator.inputs[1]].buffer]
                if shape.data is not None:  # None: computed, in a foreign file
                    lengths = shape.data.view(np.int32).copy()
                    lengths[0] = AS_MANY
                    shape.data = lengths.view(np.uint8)
    return packed(model)


def _keep_integers(convolution: Any) -> None:
    """Bring a depthwise convolution's weights into order before they are scaled.

    OpenVINO's reader scales the integers first and turns the product, in which OpenVINO
    no longer sees integers: a convolution in floats, which takes twice as long.
    """
    from openvino import opset13 as ops

    node = convolution.input_value(1).get_node()
    while node.get_type_name() in ("Transpose", "Unsqueeze", "Reshape"):
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Multiply":
        return  # floats in the file, too
    converted, scales = (node.input_value(index).get_node() for index in (0, 1))
    if converted.get_type_name() != "Convert":
        return  # integers around another zero, which LiteRT's weights never are
    integers = converted.input_value(0).get_node().data  # (1, height, width, channels)
    by_channel = np.ascontiguousarray(integers.transpose(3, 0, 1, 2)[:, np.newaxis])
    kernel = ops.multiply(
        ops.convert(ops.constant(by_channel), "f32"),
        ops.constant(scales.data.reshape(-1, 1, 1, 1, 1)),
    )
    convolution.input(1).replace_source_output(kernel.output(0))

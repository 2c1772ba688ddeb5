"""A LiteRT file -> the same file that also puts out the network's features.

The features are the input of the first dense layer. They are in every file already, as
a tensor between two operations: it only has to be named as an output. So a file is
exported and quantised for the probabilities alone, and predicts them with the same
bits and at the same speed afterwards; also one that was exported long ago.

In memory only; runs nothing of the file.
"""

from typing import Any

import numpy as np

FILE_IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # bytes: LiteRT's own, for weights that lie behind the graph
OUTSIDE = 1  # an offset above it says that a buffer's bytes lie behind the graph


def with_features(data: bytes) -> bytes:
    """Make a LiteRT file put out its features, too.

    Args:
        data: the bytes of a file with one output, or one that has both already.

    Returns:
        The file with two outputs: the second is float32, the input of the first dense
        layer.

    Raises:
        ValueError: the network has no dense layer, or integers for features.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    (graph,) = model.subgraphs
    tensor = _features_tensor(model, graph, schema)
    if tensor in graph.outputs:
        return data
    if graph.tensors[tensor].type != schema.TensorType.FLOAT32:
        raise ValueError("the input of the first dense layer holds integers")
    graph.outputs = np.append(graph.outputs, tensor).astype(np.int32)
    return _serialised(model, data)


def _features_tensor(model: Any, graph: Any, schema: Any) -> int:
    """Find the tensor that the first dense layer takes, before it is rounded."""
    codes = schema.BuiltinOperator
    kinds = [
        max(code.builtinCode, code.deprecatedBuiltinCode)
        for code in model.operatorCodes
    ]
    producers = {int(out): op for op in graph.operators for out in op.outputs}
    for operator in graph.operators:
        if kinds[operator.opcodeIndex] == codes.FULLY_CONNECTED:
            tensor = int(operator.inputs[0])
            while kinds[producers[tensor].opcodeIndex] in (
                codes.QUANTIZE,
                codes.RESHAPE,
            ):
                tensor = int(producers[tensor].inputs[0])
            return tensor
    raise ValueError("the network has no dense layer")


def _serialised(model: Any, data: bytes) -> bytes:
    """Write a model: its graph, then the bytes of every buffer at an aligned place."""
    contents = [buffer_bytes(buffer, data) for buffer in model.buffers]
    for buffer, content in zip(model.buffers, contents, strict=True):
        buffer.data = None
        buffer.offset, buffer.size = (OUTSIDE, OUTSIDE) if content else (0, 0)
    end = _aligned(len(packed(model)))  # which does not depend on the offsets
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            buffer.offset, buffer.size = end, len(content)
            end = _aligned(end + len(content))
    file = bytearray(packed(model))
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            file.extend(bytes(buffer.offset - len(file)))
            file.extend(content)
    return bytes(file)


def packed(model: Any) -> bytes:
    """Write a model's graph; bytes that are to lie behind it are the caller's.

    Args:
        model: a ``ModelT`` of LiteRT's schema.
    """
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


def buffer_bytes(buffer: Any, data: bytes) -> bytes:
    """Give a buffer's bytes, wherever they lie.

    Args:
        buffer: of a model read from the file.
        data: the file's bytes.
    """
    if buffer.offset > OUTSIDE:
        return data[buffer.offset : buffer.offset + buffer.size]
    return b"" if buffer.data is None else bytes(buffer.data)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT

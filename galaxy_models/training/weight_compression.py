"""A smaller ``model.keras``: weights with fewer bits, in a file that is packed.

A weight's 24 significant bits are far more than training settles; 9 are 0.2 % of each.
Rounded, their bytes pack well, and Keras reads the file as any other: it is HDF5 with
its own compression, in a ZIP that packs what lies between. This module knows files and
bits; it knows no network.
"""

import io
import zipfile

import h5py
import numpy as np
from numpy.typing import NDArray

from galaxy_models.models.keras_weights import WEIGHTS_NAME

FLOAT32_MANTISSA_BITS = 23
SMALLEST_PACKED = 1024  # values; below it a chunk's index costs more than it spares
DEFLATE_LEVEL = 9  # of the names between the weights: 0.8 of 3.5 MB of a small network


def round_mantissa(values: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round floats to fewer significant bits; exponents keep their range.

    Args:
        values: float32, any shape, finite.
        bits: of the mantissa, 1 to 23, without the leading one.

    Returns:
        The nearest floats of so many bits (halves go away from 0): a relative
        difference of at most 2^-(bits + 1).
    """
    dropped = FLOAT32_MANTISSA_BITS - bits
    if not dropped:
        return values
    integers = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (integers + np.uint32(1 << (dropped - 1))) >> np.uint32(dropped)
    return (rounded << np.uint32(dropped)).view(np.float32)


def pack_model(data: bytes) -> bytes:
    """Pack the weights of a ``model.keras``; they stay the same to the bit."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(packed, "w") as target,
    ):
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == WEIGHTS_NAME:
                content = _pack_hdf5(content)
            target.writestr(entry, content, zipfile.ZIP_DEFLATED, DEFLATE_LEVEL)
    return packed.getvalue()


def _pack_hdf5(data: bytes) -> bytes:
    packed = io.BytesIO()
    with (
        h5py.File(io.BytesIO(data)) as source,
        h5py.File(packed, "w") as target,
    ):
        target.attrs.update(source.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                copied = target.require_group(name)
            else:
                options = {"compression": "gzip", "compression_opts": 9}
                options |= {"shuffle": True}
                large = item.size >= SMALLEST_PACKED
                copied = target.create_dataset(
                    name, data=item[()], **(options if large else {})
                )
            copied.attrs.update(item.attrs)

        source.visititems(copy)
    return packed.getvalue()

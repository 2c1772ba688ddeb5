"""Looks up the ids of one table in another.

Memory holds every id and its hash: of integers some 40 bytes, of texts 150.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.tables.object_ids import plain_integers

NOT_FOUND = -1  # in place of a row


class IdIndex:
    """Finds ids among others, be either texts or integers.

    Args:
        ids: unique; texts or integers.
        type_: of those that are looked for.
    """

    def __init__(self, ids: pa.ChunkedArray, type_: pa.DataType) -> None:
        self._type = pa.string()
        if pa.types.is_integer(type_):
            if not pa.types.is_integer(ids.type):
                numbers = plain_integers(ids)
                ids = ids if numbers is None else numbers
            if pa.types.is_integer(ids.type):
                self._type = pa.int64()
        self._index = pd.Index(self._keys(ids))

    def find(self, ids: pa.Array) -> NDArray[np.int64]:
        """Find ids.

        Returns:
            int64, shape (len(ids),): place of each, ``NOT_FOUND`` if it is not there.
        """
        return np.asarray(self._index.get_indexer(pd.Index(self._keys(ids))), np.int64)

    def _keys(self, ids: pa.Array | pa.ChunkedArray) -> NDArray[np.generic]:
        keys = ids.cast(self._type)
        if isinstance(keys, pa.ChunkedArray):
            keys = keys.combine_chunks()
        array = np.asarray(keys.to_numpy(zero_copy_only=False))
        return array if self._type == pa.int64() else array.astype(object)

"""Ray Data's part of a scoring in this process: the same stages, without its actors.

A pool of actors takes seconds to start, more than a small survey takes to score. This
module knows the few words of Ray Data that a scoring uses, and nothing of galaxies.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa


class DatasetHere:
    """Tables that go through functions one after the other, each when it is needed."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._tables = tables

    @classmethod
    def from_items(cls, items: Sequence[dict[str, Any]], **_: object) -> "DatasetHere":
        """Make a table of each row."""
        return cls(pa.Table.from_pylist([item]) for item in items)

    def map_batches(
        self,
        function: Any,
        *,
        fn_kwargs: dict[str, Any] | None = None,
        fn_constructor_kwargs: dict[str, Any] | None = None,
        **_: object,
    ) -> "DatasetHere":
        """Apply a function, or an object of a class, to each table."""
        call: Any
        if inspect.isclass(function):
            call = function(**(fn_constructor_kwargs or {}))
        else:
            call = partial(function, **(fn_kwargs or {}))
        return DatasetHere(_mapped(self._tables, call))

    def iter_batches(self, **_: object) -> Iterator[pa.Table]:
        """Give what comes out."""
        yield from self._tables


def _mapped(
    tables: Iterable[pa.Table], call: Callable[[pa.Table], Any]
) -> Iterator[pa.Table]:
    for table in tables:
        result = call(table)
        yield from [result] if isinstance(result, pa.Table) else result

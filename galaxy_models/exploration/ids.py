"""Ids that a person typed -> rows of the predictions, or the names they may have meant.

Reads the ids alone, a batch at a time.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from galaxy_models.errors import PredictionsError
from galaxy_models.tables.predictions import Predictions

NUM_SHOWN = 3  # names a person may have meant
MAX_LENGTHS_APART = 2  # of a name and what was typed for it
MAX_CANDIDATES = 10_000  # compared letter by letter, 10 µs each


def typed_ids(predictions: Predictions, ids: Sequence[str]) -> pa.Array:
    """Give ids the type that they have in the predictions.

    Raises:
        PredictionsError: one is no integer, and the predictions' are.
    """
    type_ = predictions.table.schema.field("object_id").type
    if not pa.types.is_integer(type_):
        return pa.array(ids, type_)
    try:
        return pa.array([int(one) for one in ids], type_)
    except (ValueError, pa.ArrowInvalid, OverflowError):
        wrong = next(one for one in ids if not one.lstrip("-").isdecimal())
        raise PredictionsError(
            f"--like {wrong}: ids of {predictions.uri} are integers"
            f"{_near(predictions, wrong)}."
        ) from None


def find_rows(predictions: Predictions, ids: pa.Array) -> list[int]:
    """Find the number of each galaxy's row.

    Args:
        predictions: where they are looked for.
        ids: of the predictions' type.

    Returns:
        In the order of ``ids``.

    Raises:
        PredictionsError: one is not there; naming the nearest names.
    """
    numbers: dict[object, int] = {}
    start = 0
    for batch in _ids(predictions):
        places = pc.indices_nonzero(pc.is_in(batch, ids))
        for place, found in zip(
            places.to_pylist(), batch.take(places).to_pylist(), strict=True
        ):
            numbers.setdefault(found, start + place)
        start += len(batch)
        if len(numbers) == len(pc.unique(ids)):
            break
    for one in ids.to_pylist():
        if one not in numbers:
            raise PredictionsError(
                f"--like {one}: no such object_id in {predictions.uri}"
                f"{_near(predictions, str(one))}."
            )
    return [numbers[one] for one in ids.to_pylist()]


def _ids(predictions: Predictions) -> Iterator[pa.Array]:
    for batch in predictions.table.read_batches(["object_id"]):
        yield batch.column(0)


def _near(predictions: Predictions, typed: str) -> str:
    """Say which names are nearest to what was typed.

    One letter that is wrong, missing or too many leaves the first half of a name as it
    is, or its second half: only such names are compared.
    """
    half = len(typed) // 2
    candidates: list[str] = []
    for batch in _ids(predictions):
        names = batch.cast(pa.string())
        lengths = pc.utf8_length(names)
        is_long_enough = pc.and_(
            pc.greater_equal(lengths, len(typed) - MAX_LENGTHS_APART),
            pc.less_equal(lengths, len(typed) + MAX_LENGTHS_APART),
        )
        is_alike = pc.or_(
            pc.starts_with(names, typed[:half]), pc.ends_with(names, typed[half:])
        )
        candidates += names.filter(pc.and_(is_long_enough, is_alike)).to_pylist()
        if len(candidates) >= MAX_CANDIDATES:
            break
    near = get_close_matches(typed, candidates[:MAX_CANDIDATES], NUM_SHOWN)
    if near:
        return f"; the nearest names are {', '.join(near)}"
    first = next(_ids(predictions)).slice(0, NUM_SHOWN).cast(pa.string()).to_pylist()
    return f"; it has ids such as {', '.join(first)}"

"""Carries rows of an earlier scoring over: which ones, and into which files.

    part-000000.parquet  rows carried over; the file of then, where it is unchanged
    part-000001.parquet  …
    part-000002.parquet  rows that are predicted now

Runs on the driver. Its memory holds the earlier ids (40 bytes each; 150 of texts), some
16 bytes a row more, and the catalog's ``--keep`` columns.
"""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.chunks.ledger import file_uri, finished_uris, write_file
from galaxy_models.cluster import shared_paths
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import failure_reason
from galaxy_models.scoring.changed_images import are_changed
from galaxy_models.scoring.dated_choice import DatedChoice
from galaxy_models.scoring.previous import CarriedOver, Previous
from galaxy_models.scoring.request import Request
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.first_images import NUM_PROBED_IMAGES, probe_images
from galaxy_models.tables.formats.numbered_rows import RowReader
from galaxy_models.tables.formats.row_runs import RowRuns
from galaxy_models.tables.formats.table import unreadable
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
from galaxy_models.tables.object_ids import IdSet

logger = logging.getLogger(__name__)

NUM_WRITERS = 4  # threads; each holds a file
CLOCKS_DIFFER_S = 60.0  # those of hosts and stores, at most


class CarriedFiles:
    """Files of rows that are carried over.

    Args:
        request: with its ``previous`` predictions.
        catalog_rows: int64, shape (earlier rows,): the catalog's row of each, or
            ``NOT_FOUND``.
        is_carried: bool, of the same shape.
    """

    def __init__(
        self,
        request: Request,
        previous: Previous,
        catalog_rows: NDArray[np.int64],
        is_carried: NDArray[np.bool_],
    ) -> None:
        self._request = request
        self._previous = previous
        self._catalog_rows = catalog_rows
        self._is_carried = is_carried
        self._ends = np.cumsum(previous.rows.file_sizes)
        counts = [int(is_carried[self._range(f)].sum()) for f in range(len(self._ends))]
        self._groups = group_files(counts, request.config.rows_per_file)
        self._kept = _kept_columns(request) if request.keep else pa.table({})

    @property
    def num_files(self) -> int:
        """How many there will be."""
        return len(self._groups)

    def write(self, output: str, metadata: Mapping[bytes, bytes]) -> None:
        """Write those that are not there yet, each whole.

        Args:
            output: URI of the predictions' folder.
            metadata: of files that are written anew, as in ``Ledger.finish_file``.

        Raises:
            StorageError: a disk or store does not take them.
            CatalogError: the earlier files cannot be read.
        """
        there = finished_uris(output)
        uris = [file_uri(output, place) for place in range(self.num_files)]
        todo = [
            (uri, files)
            for uri, files in zip(uris, self._groups, strict=True)
            if uri not in there
        ]
        with ThreadPoolExecutor(NUM_WRITERS) as writers:
            copied = list(
                writers.map(lambda it: self._write_file(it[0], it[1], metadata), todo)
            )
        logger.info(
            "carried over: %d files copied as they are, %d written anew",
            sum(copied),
            len(copied) - sum(copied),
        )

    def _write_file(
        self, uri: str, files: Sequence[int], metadata: Mapping[bytes, bytes]
    ) -> bool:
        """Write a file of the carried rows of some earlier ones.

        Returns:
            Whether it is a copy of the earlier one.
        """
        if len(files) == 1 and self._is_unchanged(files[0]):
            self._copy(files[0], uri)
            return True
        rows = pa.concat_tables([self._carried_rows(file) for file in files])
        write_file(uri, rows, metadata)
        return False

    def _copy(self, file: int, uri: str) -> None:
        source = self._previous.rows.table.uris[file]
        try:
            storage.copy_file(source, uri)
        except OSError as error:
            raise unreadable(source, error) from error

    def _is_unchanged(self, file: int) -> bool:
        """Whether all rows are carried over, with the kept columns that they had."""
        if not self._is_carried[self._range(file)].all():
            return False
        earlier = self._read(file, self._request.keep) if self._request.keep else None
        return earlier is None or bool(self._kept_now(file, earlier).equals(earlier))

    def _carried_rows(self, file: int) -> pa.Table:
        """Read a file's carried rows, with the catalog's present kept columns."""
        schema = self._request.schema
        rows = self._read(file, schema.names)
        if self._request.keep:
            kept = self._kept_now(file, rows.select(self._request.keep))
            for name in self._request.keep:
                rows = rows.set_column(rows.column_names.index(name), name, kept[name])
        return rows.filter(pa.array(self._is_carried[self._range(file)])).cast(schema)

    def _kept_now(self, file: int, earlier: pa.Table) -> pa.Table:
        """Give the catalog's values, and the earlier ones of rows that it has not."""
        numbers = self._catalog_rows[self._range(file)]
        is_there = numbers != NOT_FOUND
        parts = self._kept.take(numbers[is_there]), earlier.filter(pa.array(~is_there))
        fields = map(self._request.schema.field, self._request.keep)
        schema = pa.schema(list(fields))  # either may differ from it, in type or nulls
        values = pa.concat_tables([part.cast(schema) for part in parts])
        return values.take(np.argsort(np.argsort(~is_there, kind="stable")))

    def _read(self, file: int, columns: Sequence[str]) -> pa.Table:
        rows = self._range(file)
        return RowReader(self._previous.rows, columns).read(rows.start, rows.stop)

    def _range(self, file: int) -> slice:
        """Rows of an earlier file."""
        stop = int(self._ends[file])
        return slice(stop - self._previous.rows.file_sizes[file], stop)


def carry_over(
    request: Request, begun: DatedChoice | None = None
) -> tuple[Request, CarriedFiles | None]:
    """Find what is carried over, and leave to be predicted what is not.

    Args:
        request: as it was opened.
        begun: what the unfinished job that is resumed chose by the dates of images.

    Returns:
        The request for the rows that are left; and the files of the others, None
        without ``--previous``.

    Raises:
        CatalogError: ids cannot be read, or earlier ones are repeated; or none of the
            first new images is there.
    """
    previous = request.previous
    if previous is None:
        return request, None
    catalog_rows, is_retried, fingerprint = _matched(request, previous)
    looked_s = None
    if "changed" in request.config.retry:
        looked_s = begun.looked_s if begun else time.time()
        is_retried |= _is_changed(request, previous, catalog_rows, begun)
    chosen, num_new = _chosen(request, catalog_rows, is_retried)
    is_removed = catalog_rows == NOT_FOUND
    is_kept = request.config.removed_rows == "keep"
    is_carried = np.where(is_removed, is_kept, ~is_retried)
    images_read_since_s = previous.images_read_since_s
    # Of the images of removed rows no date was looked at.
    if looked_s is not None and not is_carried[is_removed].any():
        images_read_since_s = looked_s
    files = CarriedFiles(request, previous, catalog_rows, is_carried)
    carried = CarriedOver(
        num_files=files.num_files,
        num_rows=int(is_carried.sum()),
        num_removed=int(is_removed.sum()),
        fingerprint=fingerprint,
        num_rows_in_all=chosen.num_rows + int(is_carried.sum()),
        images_read_since_s=images_read_since_s,
        choice=None if looked_s is None else DatedChoice(chosen, looked_s),
    )
    _log(carried, num_new, chosen.num_rows - num_new, request.config)
    rows = dataclasses.replace(request.rows, chosen=chosen)
    return dataclasses.replace(request, rows=rows, carried=carried), files


def _chosen(
    request: Request, catalog_rows: NDArray[np.int64], is_retried: NDArray[np.bool_]
) -> tuple[RowRuns, int]:
    """Choose the catalog's rows that are predicted; count the new ones among them."""
    is_removed = catalog_rows == NOT_FOUND
    is_new = np.ones(request.catalog.num_rows, bool)
    is_new[catalog_rows[~is_removed]] = False
    _probe_new(request, is_new)
    is_chosen = is_new.copy()
    is_chosen[catalog_rows[is_retried & ~is_removed]] = True
    return RowRuns.where(is_chosen), int(is_new.sum())


def _is_changed(
    request: Request,
    previous: Previous,
    catalog_rows: NDArray[np.int64],
    begun: DatedChoice | None,
) -> NDArray[np.bool_]:
    """Whether the image of each earlier row was written since it was scored.

    Where a job is resumed, its choice says so; it also says it of failed rows.
    """
    if begun is None:
        since_s = (previous.images_read_since_s or 0) - CLOCKS_DIFFER_S
        changed = are_changed(request.catalog, since_s)
    else:
        changed = begun.chosen.mask(request.catalog.num_rows)
    return np.where(catalog_rows == NOT_FOUND, False, changed[catalog_rows])


def _probe_new(request: Request, is_new: NDArray[np.bool_]) -> None:
    """Refuse a catalog none of whose first new images is there; others may be gone."""
    rows = dataclasses.replace(request.rows, chosen=RowRuns.where(is_new))
    if rows.num_rows:
        catalog = request.catalog
        reader = RowReader(rows, [catalog.image_column])
        head = reader.read(0, min(rows.num_rows, NUM_PROBED_IMAGES))
        images = image_sources(head[catalog.image_column])
        present = probe_images(
            images, catalog.uri, catalog.image_root, catalog.allowed_prefixes
        )
        shared_paths.check_inputs("the image", present)


def _log(
    carried: CarriedOver, num_new: int, num_retried: int, config: ScoreConfig
) -> None:
    logger.info(
        "%d rows of %s are carried over; %d are new, %d are tried again",
        carried.num_rows,
        config.previous,
        num_new,
        num_retried,
    )
    if carried.num_removed:
        what = "kept" if config.removed_rows == "keep" else "dropped"
        logger.warning(
            "%d rows of %s are not in the catalog: %s, as --removed-rows %s says",
            carried.num_removed,
            config.previous,
            what,
            config.removed_rows,
        )


def _matched(
    request: Request, previous: Previous
) -> tuple[NDArray[np.int64], NDArray[np.bool_], str]:
    """Look the catalog's ids up among the earlier ones.

    Returns:
        The catalog's row of each earlier row, or ``NOT_FOUND``; whether it is to be
        tried again; and the fingerprint of the ids that the finished output has.
    """
    table, catalog = previous.rows.table, request.catalog
    earlier, is_retried = IdSet(table, "object_id"), []
    ids = []
    for batch in table.read_batches(("object_id", "error")):
        earlier.add(batch.column("object_id"))
        ids.append(batch.column("object_id"))
        errors = batch.column("error").to_pylist()
        is_retried += [_is_retried(error, request.config.retry) for error in errors]
    earlier.fingerprint()  # refuses repeated ids
    index = IdIndex(pa.chunked_array(ids), catalog.id_type)
    catalog_rows = np.full(previous.rows.num_rows, NOT_FOUND, np.int64)
    ids_now = IdSet(catalog.table, catalog.id_column)
    at = 0
    for batch in catalog.table.read_batches([catalog.id_column]):
        places = index.find(batch.column(catalog.id_column))
        found = places != NOT_FOUND
        catalog_rows[places[found]] = at + np.flatnonzero(found)
        at += len(places)
        ids_now.add(batch.column(catalog.id_column))
    if request.config.removed_rows == "keep":
        removed = pa.chunked_array(ids).filter(pa.array(catalog_rows == NOT_FOUND))
        ids_now.add(removed.combine_chunks())
    return catalog_rows, np.asarray(is_retried, bool), ids_now.fingerprint()[0]


def _is_retried(error: str | None, reasons: Sequence[str]) -> bool:
    """Whether an earlier row is to be tried again."""
    if error is None:
        return False
    return "failed" in reasons or failure_reason(error) in reasons


def group_files(num_rows: Sequence[int], rows_per_file: int) -> list[list[int]]:
    """Put small files together, so that those of many small runs do not add up.

    Args:
        num_rows: carried rows of each earlier file, in order.
        rows_per_file: that a file may have, unless it had more.

    Returns:
        For each file to be written the earlier ones whose rows it gets.
    """
    groups: list[list[int]] = []
    size = 0
    for file, count in enumerate(num_rows):
        if not count:
            continue
        if groups and size + count <= rows_per_file:
            groups[-1].append(file)
            size += count
        else:
            groups.append([file])
            size = count
    return groups


def _kept_columns(request: Request) -> pa.Table:
    """Read the catalog's columns that ride along."""
    table = request.catalog.table
    schema = pa.schema([table.schema.field(name) for name in request.keep])
    batches = list(table.read_batches(request.keep))
    return pa.Table.from_batches(batches, schema).combine_chunks()

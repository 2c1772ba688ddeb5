"""Decides which rows of an earlier scoring are carried over, and which predicted.

Runs on the driver. Its memory holds the earlier ids (40 bytes each; 150 of texts), and
some 16 bytes a row more.
"""

import dataclasses
import logging
import time
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.cluster import shared_paths
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, failure_reason
from galaxy_models.scoring.carried_files import CarriedFiles
from galaxy_models.scoring.changed_images import are_changed
from galaxy_models.scoring.dated_choice import DatedChoice
from galaxy_models.scoring.previous import CarriedOver, Previous
from galaxy_models.scoring.request import Request
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.first_images import NUM_PROBED_IMAGES, probe_images
from galaxy_models.tables.formats.numbered_rows import RowReader
from galaxy_models.tables.formats.row_runs import RowRuns
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
from galaxy_models.tables.object_ids import IdSet

logger = logging.getLogger(__name__)

CLOCKS_DIFFER_S = 60.0  # those of hosts and stores, at most


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
        CatalogError: ids cannot be read, or earlier ones are repeated; or there
            are many new images, and none of the first ones is there.
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
    """Refuse a catalog none of whose many first new images is there.

    A few that are missing say nothing of the others: they become failed rows.
    """
    rows = dataclasses.replace(request.rows, chosen=RowRuns.where(is_new))
    if not rows.num_rows:
        return
    catalog = request.catalog
    reader = RowReader(rows, [catalog.image_column])
    head = reader.read(0, min(rows.num_rows, NUM_PROBED_IMAGES))
    images = image_sources(head[catalog.image_column])
    try:
        present = probe_images(
            images, catalog.uri, catalog.image_root, catalog.allowed_prefixes
        )
    except CatalogError as error:
        if len(images) == NUM_PROBED_IMAGES:
            raise
        logger.warning("the new galaxies will be failed rows: %s", error)
        return
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

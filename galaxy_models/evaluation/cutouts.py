"""Reads the images of the galaxies in a report, by their ids.

A catalog is read from its start until all are found: of one that holds the images
themselves, these are read on the way. This module does not know why they are shown.
"""

import base64
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import simplejpeg

from galaxy_models import storage
from galaxy_models.config import CatalogConfig, EvaluateConfig
from galaxy_models.errors import CatalogError
from galaxy_models.images.allowed_paths import allowed_folders
from galaxy_models.images.decode import decode_files
from galaxy_models.images.files import read_files
from galaxy_models.images.fits_brightness import rule_for_people
from galaxy_models.tables.columns import find_column, image_sources
from galaxy_models.tables.formats import Table, open_table

logger = logging.getLogger(__name__)

CUTOUT_SIZE_PX = 160  # twice what most screens show it at
JPEG_QUALITY = 85

Cutouts = dict[str, str]
"""By object id: an image as a ``data:`` URI."""


@dataclass(frozen=True)
class CutoutSource:
    """A table that names images."""

    table: Table
    id_column: str
    image_column: str
    image_root: str
    allowed_prefixes: tuple[str, ...]
    is_asked_for: bool
    """Whether the user named it for its images."""


def open_cutouts(config: EvaluateConfig) -> CutoutSource | None:
    """Find the table that names images: --catalog, else --labels if it names any.

    Raises:
        CatalogError: --catalog cannot be read, or lacks a column.
    """
    is_asked_for = config.catalog is not None
    uri = config.catalog if is_asked_for else config.labels
    if uri is None:
        return None
    flag = "--catalog" if is_asked_for else "--labels"
    return _open(config, uri, flag, is_asked_for=is_asked_for)


def open_catalog_cutouts(config: CatalogConfig) -> CutoutSource:
    """Find the images that a job's catalog names.

    Raises:
        CatalogError: it cannot be read, or lacks a column.
    """
    source = _open(config, config.catalog, "--catalog", is_asked_for=True)
    assert source is not None  # else it has been refused
    return source


def _open(
    config: EvaluateConfig | CatalogConfig, uri: str, flag: str, *, is_asked_for: bool
) -> CutoutSource | None:
    table = open_table(storage.absolute_uri(uri), flag)
    names = table.schema.names
    id_column = find_column(
        config.id_column, names, table.uri, ("object_id",), table.stated_columns
    )
    try:
        image_column = find_column(config.image_column, names, table.uri, ("image",))
    except CatalogError:
        if is_asked_for:
            raise
        return None
    return CutoutSource(
        table=table.with_text(id_column),
        id_column=id_column,
        image_column=image_column,
        image_root=storage.absolute_uri(config.image_root or table.image_root),
        allowed_prefixes=allowed_folders(config.image_root, config.allow_image_prefix),
        is_asked_for=is_asked_for,
    )


def read_cutouts(source: CutoutSource, object_ids: Collection[str]) -> Cutouts:
    """Read and decode the images of some galaxies, FITS so that a person sees them.

    Args:
        source: names the images.
        object_ids: whose images, as texts.

    Returns:
        Those that could be read; the log says how many could not.

    Raises:
        CatalogError: none could, and the user asked for them.
    """
    cutouts: Cutouts = {}
    first_error: str | None = None
    for ids, images in find_images(source, object_ids):
        files = read_files(images, source.image_root, source.allowed_prefixes)
        for object_id, file in zip(ids, files, strict=True):
            (image,), (error,) = decode_files(
                [file], rule_for_people(file, CUTOUT_SIZE_PX)
            )
            if error is None:
                jpeg = simplejpeg.encode_jpeg(image, quality=JPEG_QUALITY)
                cutouts[object_id] = data_uri(jpeg, "image/jpeg")
            elif first_error is None:
                first_error = error
    num_missing = len(object_ids) - len(cutouts)
    reason = first_error or f"it has none of their ids in column {source.id_column!r}"
    if object_ids and not cutouts:
        message = (
            f"no image of a galaxy to show could be read by {source.table.uri} "
            f"({reason}); check --id-column, --image-column and --image-root."
        )
        if source.is_asked_for:
            raise CatalogError(message)
        logger.warning("the report has no galleries: %s", message)
    elif num_missing:
        logger.warning(
            "%d of the %d galaxies to show have no image that %s could read (%s)",
            num_missing, len(object_ids), source.table.uri, reason,
        )  # fmt: skip
    return cutouts


def data_uri(data: bytes, media_type: str) -> str:
    """Write a file's bytes into the page itself."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def find_images(
    source: CutoutSource, object_ids: Collection[str]
) -> Iterator[tuple[list[str], list[str | bytes | None]]]:
    """Find ids and their image sources in a batch of the table."""
    wanted = pa.array(list(object_ids), pa.string())
    num_left = len(wanted)
    columns = [source.id_column, source.image_column]
    for batch in source.table.read_batches(columns):
        if not num_left:
            break
        ids = batch.column(0).cast(pa.string())
        is_wanted = pc.is_in(ids, wanted)
        found = ids.filter(is_wanted).to_pylist()
        if found:
            images = pa.chunked_array([batch.column(1).filter(is_wanted)])
            yield found, image_sources(images)
            num_left -= len(found)

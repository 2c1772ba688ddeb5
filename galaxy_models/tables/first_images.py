"""Checks a catalog's first images: is one there, do FITS fluxes suit the stretch?"""

import logging
from collections.abc import Sequence

import pyarrow as pa

from galaxy_models import storage
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import (
    CatalogError,
    ImageDecodeError,
    InputError,
    StoreAccessError,
    UnreachableStoreError,
)
from galaxy_models.images.allowed_paths import LOCAL_SCHEME, image_uri
from galaxy_models.images.files import ImageFile, ImageSource, read_files
from galaxy_models.images.fits import is_fits
from galaxy_models.images.fits_brightness import stretch_trouble
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats import Table

logger = logging.getLogger(__name__)

NUM_PROBED_IMAGES = 20
NUM_READ_IMAGES = 8  # of FITS


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _can_be_images(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return {field.name for field in type_} == {"bytes", "path"} and all(
            _can_be_images(field.type) for field in type_
        )
    is_bytes = pa.types.is_binary(type_) or pa.types.is_large_binary(type_)
    return bool(is_bytes or _is_text(type_) or pa.types.is_null(type_))


def probe_images(
    head: Sequence[ImageSource],
    uri: str,
    image_root: str,
    allowed_prefixes: tuple[str, ...],
) -> list[str]:
    """Refuse a catalog none of whose first images is there: the root is wrong.

    Args:
        head: the first images.
        uri: the catalog, for messages.
        image_root: URI of the folder that relative paths start from.
        allowed_prefixes: URIs of further folders whose images may be named.

    Returns:
        URI of an image that is there; none where the catalog holds images' bytes.

    Raises:
        CatalogError: none is there, or none may be read.
        StoreAccessError: an object store refuses them.
    """
    named = [image for image in head if image]
    if any(isinstance(image, bytes) for image in named):
        return []
    uris, refused = [], []
    for path in named:
        try:
            uris.append(image_uri(str(path), image_root, allowed_prefixes))
        except ImageDecodeError as error:
            refused.append((str(path), error.detail))
    refusals: list[StoreAccessError] = []
    present = next((uri for uri in uris if _is_there(uri, refusals)), None)
    if present is None:
        if refusals:
            raise refusals[0]
        if refused:
            path, reason = refused[0]
            raise CatalogError(
                f"the first images of {uri} must not be read ({reason}); "
                f"{_remedy_of_refusal(path)}."
            )
        example = f" (for example {uris[0]})" if uris else ""
        raise CatalogError(
            f"none of the first {len(head)} images of {uri} exists{example}; "
            "give the folder that their paths start from with --image-root."
        )
    return [present]


def warn_of_stretch(
    head: Sequence[ImageSource],
    image_root: str,
    allowed_prefixes: tuple[str, ...],
    rule: DecodeRule,
) -> None:
    """Warn where FITS images become white or black; reads no file after a picture.

    Args:
        head: the first images.
        image_root: URI of the folder that relative paths start from.
        allowed_prefixes: URIs of further folders whose images may be named.
        rule: how their files are decoded.

    Raises:
        StorageError: an object store does not answer.
    """
    files: list[ImageFile] = []
    for image in [image for image in head if image][:NUM_READ_IMAGES]:
        files += read_files([image], image_root, allowed_prefixes)
        if isinstance(files[-1], bytes) and not is_fits(files[-1]):
            return
    if trouble := stretch_trouble(files, rule):
        logger.warning("%s", trouble)


def _remedy_of_refusal(path: str) -> str:
    scheme, separator, _ = path.partition("://")
    if separator and scheme not in (LOCAL_SCHEME, *storage.REMOTE_SCHEMES):
        return "download the images first, and name their files in the catalog"
    return (
        "allow their folder with --allow-image-prefix PREFIX, or name the right "
        "--image-root"
    )


def first_images(source: Table, image_column: str) -> list[ImageSource]:
    """Read the first rows of a table's column of images.

    Raises:
        CatalogError: the table has no rows, or the column no images.
    """
    type_ = source.schema.field(image_column).type
    if not _can_be_images(type_):
        raise CatalogError(
            f"column {image_column!r} of {source.uri} holds {type_}, not image paths; "
            "name another with --image-column."
        )
    head: list[ImageSource] = []
    for batch in source.read_batches([image_column]):
        missing = NUM_PROBED_IMAGES - len(head)
        head += image_sources(pa.chunked_array([batch.column(0)[:missing]]))
        if len(head) == NUM_PROBED_IMAGES:
            break
    if not head:
        raise CatalogError(f"the catalog {source.uri} has no rows.")
    return head


def _is_there(image_uri: str, refusals: list[StoreAccessError]) -> bool:
    """Whether an image stands there; a store's refusal is added to the others."""
    try:
        return storage.is_file(image_uri)
    except UnreachableStoreError:  # it would not answer for the others either
        raise
    except StoreAccessError as error:
        refusals.append(error)
        return False
    except (InputError, OSError, ValueError):  # no path at all: a row that fails later
        return False

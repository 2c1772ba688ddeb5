"""Image files -> their bytes, wherever they are."""

import errno
from collections.abc import Sequence

from galaxy_models import storage
from galaxy_models.config.decode_rule import MAX_IMAGE_BYTES
from galaxy_models.errors import FailureReason, ImageDecodeError, InputError
from galaxy_models.images.allowed_paths import image_uri
from galaxy_models.storage import s3_settings

ImageFile = bytes | ImageDecodeError
"""A file's bytes, or why it could not be read."""

ImageSource = str | bytes | None
"""A file's URI or path, or its bytes; None where the catalog names no image."""


def read_files(
    sources: Sequence[ImageSource],
    image_root: str,
    allowed_prefixes: Sequence[str] = (),
) -> list[ImageFile]:
    """Read image files whole; bytes pass through.

    Args:
        sources: one URI, path relative to ``image_root``, or file's bytes, a galaxy;
            None where the catalog names no image.
        image_root: URI of a folder.
        allowed_prefixes: URIs of further folders that paths may lead to.

    Returns:
        The bytes of each file, or why they are not to be had.

    Raises:
        StorageError: an object store does not answer: no fault of the image.
    """
    files: list[ImageFile] = []
    settings = s3_settings.current()  # once: each read would look again
    for source in sources:
        if isinstance(source, bytes):
            files.append(source)
            continue
        try:
            files.append(_read_file(source, image_root, allowed_prefixes, settings))
        except ImageDecodeError as error:
            files.append(error)
    return files


def _read_file(
    path: str | None,
    image_root: str,
    allowed_prefixes: Sequence[str],
    settings: s3_settings.Settings,
) -> bytes:
    if not path:
        raise ImageDecodeError("missing", "the catalog names no image")
    uri = image_uri(path, image_root, allowed_prefixes)
    try:
        return storage.read_bytes(uri, MAX_IMAGE_BYTES, settings)
    except FileNotFoundError as error:
        raise ImageDecodeError("missing", f"no file {uri}") from error
    except (OSError, InputError, ValueError) as error:  # ValueError: no path at all
        is_vast = isinstance(error, OSError) and error.errno == errno.EFBIG
        reason: FailureReason = "too_large" if is_vast else "unreadable"
        raise ImageDecodeError(reason, f"{uri}: {error}") from error

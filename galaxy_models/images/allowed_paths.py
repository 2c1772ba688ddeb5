"""Which files a catalog may name; its paths are not trusted.

Only names are looked at, never a store: a link inside the image folder may lead
wherever its owner wants.
"""

import posixpath
from collections.abc import Sequence
from functools import lru_cache

from galaxy_models import storage
from galaxy_models.errors import ImageDecodeError

LOCAL_SCHEME = "file"
EVERYWHERE = ("/", *(f"{scheme}://" for scheme in storage.REMOTE_SCHEMES))


def allowed_folders(
    image_root: str | None, prefixes: tuple[str, ...]
) -> tuple[str, ...]:
    """Name the folders, besides the image root, that may contain images.

    Args:
        image_root: as the user gave it, if so.
        prefixes: URIs of further folders that the user gave.

    Returns:
        These folders; any folder if the user gave neither.
    """
    if image_root is None and not prefixes:
        return EVERYWHERE
    return prefixes


def image_uri(path: str, image_root: str, allowed_prefixes: Sequence[str] = ()) -> str:
    """Find the file that a catalog's path means, if the catalog may name it.

    A relative path must stay below ``image_root``; an absolute one or a URI must lie
    below ``image_root`` or one of ``allowed_prefixes``.

    Args:
        path: as given in the catalog.
        image_root: URI of the folder that relative paths start from; ``/`` holds
            every local file.
        allowed_prefixes: URIs of further folders.

    Returns:
        The file's URI, absolute and without ``..``.

    Raises:
        ImageDecodeError: reason ``refused``.
    """
    if "\0" in path:
        raise ImageDecodeError("refused", f"no file is called {path}")
    root = storage.absolute_uri(image_root)
    uri = _normal(storage.join(root, path))
    is_relative = "://" not in path and not path.startswith("/")
    folders = [root] if is_relative else [root, *allowed_prefixes]
    if not any(_is_below(uri, folder) for folder in folders):
        listed = " or ".join(folders)
        raise ImageDecodeError("refused", f"{path} does not lie below {listed}")
    return uri


def _is_below(uri: str, folder: str) -> bool:
    return uri.startswith(_folder_name(folder))


@lru_cache(maxsize=64)
def _folder_name(folder: str) -> str:
    return _normal(folder).rstrip("/") + "/"


def _normal(uri: str) -> str:
    """Spell a URI in the one way in which it can be compared."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        scheme, rest = LOCAL_SCHEME, uri
    if scheme == LOCAL_SCHEME and rest.startswith("/"):
        return "/" + posixpath.normpath(rest).lstrip("/")  # two slashes would survive
    if scheme not in storage.REMOTE_SCHEMES:
        raise ImageDecodeError(
            "refused", f"{uri}: unknown scheme {scheme!r}; use a local path or s3://"
        )
    if storage.holds_password(uri):
        raise ImageDecodeError("refused", f"{scheme}:// with a key or a password")
    if not {".", ".."}.isdisjoint(rest.split("/")):
        rest = posixpath.normpath(rest)  # all else may be part of a key
    return f"{scheme}://{rest}"

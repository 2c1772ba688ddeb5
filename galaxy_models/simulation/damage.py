"""The ways in which images of real surveys are broken.

Each takes the bytes of a good JPEG and returns those that were found in its
place, or None where there was no file.
"""

from collections.abc import Callable

ERROR_PAGE = b"""<!DOCTYPE html>
<html><head><title>503 Service Unavailable</title></head>
<body><h1>Service Unavailable</h1><p>Please try again later.</p></body></html>
"""


def _truncate(jpeg: bytes) -> bytes:
    """The transfer broke off on the way."""
    return jpeg[: len(jpeg) * 2 // 3]


def _empty(_jpeg: bytes) -> bytes:
    """The disk was full."""
    return b""


def _replace_by_error_page(_jpeg: bytes) -> bytes:
    """The server was busy and the download script did not look."""
    return ERROR_PAGE


def _lose(_jpeg: bytes) -> None:
    """The catalog knows the image; nobody else does."""


Damage = Callable[[bytes], bytes | None]
DAMAGES: tuple[Damage, ...] = (_truncate, _empty, _replace_by_error_page, _lose)

"""Checks of flags that several jobs share."""

import re
from typing import Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from galaxy_models.config.decode_rule import are_fits_bands, is_positive
from galaxy_models.errors import ConfigError


def require(condition: bool, flag: str, value: object, remedy: str) -> None:
    """Refuse a value unless a condition holds.

    Args:
        condition: what must hold.
        flag: name of the configuration's field.
        value: what was given.
        remedy: what is allowed.

    Raises:
        ConfigError: naming the flag as people type it, its value and the remedy.
    """
    if not condition:
        raise ConfigError(f"--{flag.replace('_', '-')} {value}: {remedy}.")


def check_crop_fraction(value: float) -> None:
    """Allow a share of the image, above none and up to all of it."""
    require(0 < value <= 1, "crop_fraction", value, "must be above 0 and at most 1")


def check_fits(
    bands: tuple[str, ...] | None, stretch: float | None, q: float | None
) -> None:
    """Allow one band or three, and positive numbers (None: as in training)."""
    named = bands or ()
    shown = " ".join(named)
    require(are_fits_bands(named), "fits_bands", shown, "name one band or three")
    for flag, value in (("fits_stretch", stretch), ("fits_q", q)):
        require(value is None or is_positive(value), flag, value, "must be above 0")


def check_image_prefixes(prefixes: tuple[str, ...]) -> None:
    """Allow absolute folders only."""
    for prefix in prefixes:
        require(
            prefix.startswith("/") or re.match("s3://[^/]", prefix) is not None,
            "allow_image_prefix",
            prefix,
            "must be an absolute path or s3://bucket/folder",
        )


def check_seed(value: int) -> None:
    """Allow what every library takes for a seed."""
    require(0 <= value < 2**31, "seed", value, "must lie from 0 to 2147483647")


def check_named_once(flag: str, columns: tuple[str, ...]) -> None:
    """Columns of a list."""
    is_once = len(set(columns)) == len(columns)
    require(is_once, flag, " ".join(columns), "names a column twice")


def check_count_or_auto(flag: str, value: int | str) -> None:
    """Allow auto, or a number from 1 on."""
    require(
        value == "auto" or (isinstance(value, int) and value >= 1),
        flag,
        value,
        "must be auto or at least 1",
    )


def check_choices(config: object) -> None:
    """Allow in each field that lists its values (``Literal``) one of these, or several.

    The command line's parser does so by itself; a library's user has no parser. Fields
    that may also be numbers are left to ``check_count_or_auto``.
    """
    for name, hint in get_type_hints(type(config)).items():
        may_be_several = get_origin(hint) is tuple
        hint = get_args(hint)[0] if may_be_several else hint
        choices = sorted(_choices(hint), key=lambda choice: choice != "auto")
        given = getattr(config, name)
        for value in given if may_be_several else (given,):
            remedy = f"choose one of {', '.join(choices)}"
            require(not choices or value in choices, name, value, remedy)


def _choices(hint: Any) -> tuple[str, ...]:
    """Values of a ``Literal``, or of a union of such; empty for other types."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    parts = [_choices(part) for part in get_args(hint)]
    return sum(parts, ()) if all(parts) else ()


def check_endpoint(url: str | None) -> None:
    """Allow an http address without credentials in it."""
    if "@" in (url or ""):  # not shown: it would be a secret in a log
        raise ConfigError(
            "--s3-endpoint-url holds a user name; give credentials in "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    parts = urlsplit(url or "http://store")
    require(
        parts.scheme in ("http", "https") and bool(parts.netloc),
        "s3_endpoint_url",
        url,
        "write it as http://host:port or https://host",
    )

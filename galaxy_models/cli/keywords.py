"""From a notebook's keywords to a configuration, as flags become one.

Paths become texts, a text where a list is meant becomes a list of one, and lists become
tuples. Numbers pass; what any value means, the configuration checks.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from galaxy_models.config.checks import require

Config = TypeVar("Config")

TABLES = ("catalog", "detections", "labels", "predictions", "truth")
"""Flags that name a table, which a notebook may hold in memory."""

URI_AS_PATH = re.compile("[a-z][a-z0-9]+:/(?!/)")


def configured(config_class: type[Config], flags: Mapping[str, Any]) -> Config:
    """Make a configuration of keywords.

    Args:
        config_class: dataclass with a field for each flag.
        flags: values by the name of the field.

    Raises:
        ConfigError: naming the flag, its value and the remedy.
        TypeError: for a keyword that is no flag, or one that is missing.
    """
    hints = get_type_hints(config_class)
    values = {flag: _value(flag, flags[flag], hints.get(flag)) for flag in flags}
    return config_class(**values)


def _value(flag: str, value: Any, hint: Any) -> Any:
    """What a field of this type takes."""
    is_list = get_origin(hint) is tuple
    kinds = (hint,) if is_list else (hint, *get_args(hint))  # with those of a union
    if value is None and type(None) in kinds:
        return None
    if bool in kinds:
        require(isinstance(value, bool), flag, value, "give True or False")
        return value
    if str in kinds:
        return _text(flag, value)
    if any(get_origin(kind) is tuple for kind in kinds):
        return _texts(flag, value)
    return value


def _texts(flag: str, value: Any) -> tuple[str, ...]:
    """A list's texts; a text alone is one, not its letters."""
    if isinstance(value, list | tuple):
        return tuple(_text(flag, one) for one in value)
    is_one = isinstance(value, str | os.PathLike)
    remedy = "give a list of str or paths, or one of them"
    require(is_one, flag, f"of type {type(value).__name__}", remedy)
    return (_text(flag, value),)


def _text(flag: str, value: Any) -> str:
    """A text as it is, a path as text; refuse objects that are no name."""
    if isinstance(value, str):
        return value
    is_table = flag in TABLES and value is not None
    require(
        isinstance(value, os.PathLike),
        flag,
        f"of type {type(value).__name__}",
        "write it to a Parquet file and name that"
        if is_table
        else "give a str or a path",
    )
    text = os.fsdecode(value)
    is_uri = URI_AS_PATH.match(text) is not None
    require(not is_uri, flag, text, "paths drop a slash of a URI; give it as a str")
    return text

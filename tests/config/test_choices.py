"""Words that a field lists are checked without a command line's parser, too."""

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from galaxy_models.config import (
    EvaluateConfig,
    QuickstartConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.errors import ConfigError

NEEDED: dict[type, dict[str, str]] = {
    ScoreConfig: {"catalog": "c.csv", "model": "m", "output": "o", "previous": "p"},
    TrainConfig: {"catalog": "c.csv", "output": "o"},
    EvaluateConfig: {"predictions": "p", "output": "o"},
    QuickstartConfig: {},
}


def words_of(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(word for part in get_args(hint) for word in words_of(part))


def with_word(config: type, name: str, word: str) -> Any:
    """The configuration with a word in a field, which may take several."""
    several = get_origin(get_type_hints(config)[name]) is tuple
    return config(**NEEDED[config], **{name: (word,) if several else word})


FIELDS = [
    (config, field.name, words)
    for config in NEEDED
    for field in dataclasses.fields(config)
    if (words := words_of(get_type_hints(config)[field.name]))
]


def test_the_fields_that_list_words_are_found() -> None:
    found = {name for config, name, _ in FIELDS if config is ScoreConfig}
    assert {"tta", "engine", "device", "plan", "resume", "num_workers"} <= found
    assert {"retry", "removed_rows"} <= found


@pytest.mark.parametrize(("config", "name", "words"), FIELDS)
def test_a_word_that_a_field_does_not_list_is_refused_and_the_others_are_named(
    config: type, name: str, words: tuple[str, ...]
) -> None:
    flag = name.replace("_", "-")
    with pytest.raises(ConfigError, match=rf"--{flag} tpu: .*{words[-1]}"):
        with_word(config, name, "tpu")


@pytest.mark.parametrize(("config", "name", "words"), FIELDS)
def test_every_word_that_a_field_lists_is_taken(
    config: type, name: str, words: tuple[str, ...]
) -> None:
    for word in words:
        with_word(config, name, word)

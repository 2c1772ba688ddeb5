"""The text of ``--help``: what a command does, and its flags by theme."""

import shutil
import textwrap
from collections.abc import Mapping

from galaxy_models.cli.flags import Flag, flags_by_theme

MAX_WIDTH = 100  # characters; longer lines are hard to read


def help_text(config_class: type, program: str, description: str | None) -> str:
    """Describe a command.

    Args:
        config_class: dataclass with a field for each flag.
        program: what is typed before the flags.
        description: what the command does.
    """
    themes = flags_by_theme(config_class)
    required = [
        f"{flag.name} {_value(flag)}"
        for flags in themes.values()
        for flag in flags
        if flag.default == "required"
    ]
    usage = " ".join(["usage:", program, *required, "[flags]"])
    parts = [usage, (description or "").strip()]
    parts += [_theme(theme, flags) for theme, flags in themes.items()]
    return "\n\n".join(parts) + "\n"


def list_commands(program: str, commands: Mapping[str, str], more: str) -> str:
    """Describe a program by its commands.

    Args:
        program: what it is called.
        commands: what each does.
        more: what else it takes.
    """
    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {does}" for name, does in commands.items()]
    return "\n".join(
        [f"usage: {program} COMMAND [flags]", "", *lines, "", more.strip(), ""]
    )


def _theme(theme: str, flags: list[Flag]) -> str:
    return "\n".join([f"{theme}:", *map(_flag, flags)])


def _flag(flag: Flag) -> str:
    head = f"  {flag.name} {_value(flag)}".rstrip()
    default = flag.default if flag.default == "required" else f"default: {flag.default}"
    text = f"{flag.meaning} ({default})"
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    indent = " " * 6
    return f"{head}\n" + textwrap.fill(
        text, width, initial_indent=indent, subsequent_indent=indent
    )


def _value(flag: Flag) -> str:
    """What stands after a flag: its choices, or a word for them."""
    if flag.choices:
        return f"{{{','.join(flag.choices)}}}"
    if flag.default in ("yes", "no"):
        return ""  # it stands alone
    return flag.name.removeprefix("--").replace("-", "_").upper()

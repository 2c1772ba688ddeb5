"""Write the generated tables of the READMEs: flags, columns, reasons, metrics, modules.

    python -m jobs.reference          # write them anew
    python -m jobs.reference --check  # exit code 1 if one is stale

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. What it says
has one home in the code: the field's docstring, the column, the module's first line.
This module works in a clone of the repository only; no job needs it.
"""

import ast
import dataclasses
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from galaxy_models.cli.flags import Flag, flags_by_theme
from galaxy_models.cli.main import load_jobs
from galaxy_models.cluster.metrics import JOB_METRICS
from galaxy_models.errors import FAILURE_REASONS
from galaxy_models.tables.detection_schema import DETECTION_COLUMNS, FLAGS
from galaxy_models.tables.prediction_schema import PREDICTION_COLUMNS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "galaxy_models"
READMES = (
    ROOT / "jobs" / "README.md",
    ROOT / "infra" / "README.md",
    PACKAGE / "README.md",
)
JOBS: dict[str, Any] = {name: job.config_class for name, job in load_jobs().items()}
SECTION = re.compile(r"(<!-- generated: ([a-z_ ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class ReferenceConfig:
    """Write the generated tables of the READMEs, or check them."""

    check: bool = False
    """Write nothing; exit with 1 and name the READMEs that are stale."""


def main(arguments: list[str] | None = None) -> int:
    """Write or check all READMEs; the exit code."""
    config = tyro.cli(ReferenceConfig, args=arguments)
    stale = [path for path in READMES if fresh(path.read_text()) != path.read_text()]
    for path in stale:
        if not config.check:
            path.write_text(fresh(path.read_text()))
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 1 if config.check and stale else 0


def fresh(readme: str) -> str:
    """Fill a README's generated sections anew."""
    return SECTION.sub(
        lambda found: f"{found[1]}{_section(found[2])}\n{found[3]}", readme
    )


def _section(name: str) -> str:
    """Make the text of one generated section.

    Raises:
        KeyError: there is no section of this name.
    """
    kind, _, what = name.partition(" ")
    if kind == "flags":
        return _flags(JOBS[what])
    sections = {
        "columns": _columns,
        "detections": _detections,
        "bits": _bits,
        "reasons": _reasons,
        "metrics": _metrics,
        "rooms": _rooms,
    }
    return sections[kind]()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _flags(config: type) -> str:
    parts = []
    for theme, flags in flags_by_theme(config).items():
        rows = [(_named(flag), flag.default, flag.meaning) for flag in flags]
        table = _table(("flag", "default", "meaning"), rows)
        parts.append(f"\n**{theme}**\n\n{table}")
    return "\n".join(parts) + "\n"


def _named(flag: Flag) -> str:
    """Name a flag, with its choices where it has some."""
    choices = f" {{{', '.join(flag.choices)}}}" if flag.choices else ""
    return f"`{flag.name}`{choices}"


def _columns() -> str:
    rows = [(f"`{column.name}`", column.meaning) for column in PREDICTION_COLUMNS]
    kept = ("those named with `--keep`", "the catalog's, type and unit unchanged")
    return _table(("column", "meaning"), [rows[0], kept, *rows[1:]])


def _detections() -> str:
    rows = [
        (f"`{column.name}`", column.unit, column.meaning)
        for column, _ in DETECTION_COLUMNS
    ]
    return _table(("column", "unit", "meaning"), rows)


def _bits() -> str:
    return _table(("bit", "meaning"), [(str(flag.bit), flag.meaning) for flag in FLAGS])


def _reasons() -> str:
    rows = [(f"`{name}`", meaning) for name, meaning in FAILURE_REASONS.items()]
    return _table(("reason", "meaning"), rows)


def _metrics() -> str:
    rows = [
        (
            f"`{metric.prometheus_name}`",
            metric.kind,
            metric.unit,
            f"`{metric.label}`" if metric.label else "",
            metric.meaning,
        )
        for metric in JOB_METRICS
    ]
    return _table(("metric", "kind", "unit", "label", "meaning"), rows)


def _rooms() -> str:
    """List every module under its room, with the first line of its docstring."""
    loose = [_module(PACKAGE / "errors.py")]
    parts = [_table(("module", "what it does"), loose)]
    for door in sorted(PACKAGE.glob("*/__init__.py")):
        modules = sorted(door.parent.rglob("*.py"))
        rows = [_module(path) for path in modules if path != door]
        title = f"### {door.parent.name}\n\n{_first_line(door)}"
        parts.append(f"{title}\n\n{_table(('module', 'what it does'), rows)}")
    return "\n" + "\n\n".join(parts) + "\n"


def _module(path: Path) -> tuple[str, str]:
    name = path.relative_to(PACKAGE).as_posix().replace("/__init__.py", "/")
    return f"`{name}`", _first_line(path)


def _first_line(path: Path) -> str:
    """The first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(text.partition("\n\n")[0].split())


if __name__ == "__main__":
    sys.exit(main())

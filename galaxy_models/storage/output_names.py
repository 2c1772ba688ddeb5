"""By which files the output folder of a job is known, among those of a catalog.

It knows names only; what the files hold is their jobs' affair.
"""

from collections.abc import Iterable

from galaxy_models import storage

RESULTS_NAMES = frozenset(
    {
        "_embed.json", "_evaluation.json", "_hats.json", "_label_page.json",
        "_overlay.json", "_regions.json", "_run.json", "_similar.json", "_stamps.json",
    }
)  # fmt: skip
"""Files that only jobs write, each when its results are complete."""

MODEL_NAMES = frozenset({"model.json", "model.keras"})
"""Files of a trained model; only both together are sure to be one."""

MARKS = RESULTS_NAMES | {storage.UNFINISHED_NAME}


def find_outputs(paths: Iterable[str]) -> list[str]:
    """Find the folders that jobs wrote, or are writing, among the paths of files.

    Args:
        paths: every file of a folder, hidden ones too.

    Returns:
        The folders' paths, sorted.
    """
    found: set[str] = set()
    models: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name in MARKS:
            found.add(folder)
        elif name in MODEL_NAMES:
            models.setdefault(folder, set()).add(name)
    found.update(folder for folder, names in models.items() if names == MODEL_NAMES)
    return sorted(found)

"""Trained models that come with the package: model folders with plain names.

    shipped/galaxy-zoo/         a model folder; MODEL_CARD.md says what it is
    shipped/galaxy-zoo-small/   the same classes, faster, less accurate
    shipped/galaxy-zoo-detect/  for stamps of wide images: knows stars and artefacts

A name means the same on every host of a cluster, since each has the package; a path
would not. So a name travels as it is, and the host that loads the model finds its
folder. What lies in a model folder is ``model_folder``'s to know.
"""

from pathlib import Path

from galaxy_models import storage

FOLDER = Path(__file__).parent


def shipped_names() -> tuple[str, ...]:
    """Names that ``--model`` and ``--start-from`` take, in order."""
    return tuple(sorted(card.parent.name for card in FOLDER.glob("*/model.json")))


def model_reference(model: str) -> str:
    """Make what a person typed good on every host and in every working directory.

    Args:
        model: a shipped model's name, or a model folder's path or URI. A folder of
            such a name is meant by a path, as in ``./galaxy-zoo``.

    Returns:
        The name, an absolute path or a URI.

    Raises:
        InputError: see ``storage.absolute_uri``.
    """
    return model if model in shipped_names() else storage.absolute_uri(model)


def model_folder_uri(reference: str) -> str:
    """Find the folder of a ``model_reference`` on this host."""
    if reference in shipped_names():
        return str(FOLDER / reference)
    return storage.absolute_uri(reference)

"""What the tests' small model depends on, as a hash."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_TRAINING = ("scoring",)  # rooms that no training enters
PACKAGES = ("ai-edge-litert", "ai-edge-quantizer", "keras", "ray", "tensorflow")


@cache
def training_digest() -> str:
    """Hash the sources that train, those of the fixtures, and their packages.

    Returns:
        A name for a folder, hexadecimal.
    """
    sources = [
        path
        for path in sorted((ROOT / "galaxy_models").rglob("*.py"))
        if path.relative_to(ROOT / "galaxy_models").parts[0] not in NOT_TRAINING
    ]
    digest = hashlib.sha256()
    for path in (*sources, ROOT / "tests" / "conftest.py"):
        digest.update(path.read_bytes())
    digest.update(" ".join(version(name) for name in PACKAGES).encode())
    return digest.hexdigest()[:16]

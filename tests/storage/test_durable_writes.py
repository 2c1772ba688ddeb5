"""A file that was written outlives a power cut: its bytes, its name, its folder."""

import os
from pathlib import Path

import pytest

from galaxy_models import storage


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "file"
    events: list[str] = []
    names = {tmp_path: "folder's folder", path.parent: "folder"}

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        known = {one.stat().st_ino: name for one, name in names.items() if one.exists()}
        events.append(known.get(status.st_ino, f"{status.st_size} bytes"))

    replace = Path.replace

    def replaced(source: Path, target: Path) -> Path:
        events.append("name")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replaced)

    storage.write_bytes(str(path), b"galaxy")

    assert events == ["folder's folder", "6 bytes", "name", "folder"]

"""A stranger's catalog runs nothing here: it is refused in a line, or its rows fail.

Each attack would make a file, or read one that is not its own, were it followed.
"""

import gzip
import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray.data  # noqa: F401 - it is what tells Arrow to unpickle

from galaxy_models.errors import CatalogError
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import RowReader, number_rows

Opener = Callable[..., Catalog]
IDS = ["a", "b"]
EXTENSION = "ARROW:extension:name"
PARAMETERS = "ARROW:extension:metadata"
PICKLED = "ray.data.arrow_pickled_object"
TENSOR = "ray.data.arrow_tensor"


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that attacks make."""
    return tmp_path / "marker"


@pytest.fixture
def pickles(marker: Path) -> pa.Array:
    """Two values that make it when they are unpickled."""
    return pa.array([pickle.dumps(Touch(marker))] * len(IDS), pa.large_binary())


def pickled(name: str) -> pa.Field:
    """A column that Arrow takes for Python objects once Ray Data is imported."""
    metadata = {EXTENSION: PICKLED, PARAMETERS: ""}
    return pa.field(name, pa.large_binary(), metadata=metadata)


def structs(pickles: pa.Array) -> tuple[pa.Field, pa.Array]:
    """Structs as Hugging Face has them, whose bytes are objects."""
    fields = [pickled("bytes"), pa.field("path", pa.string())]
    paths = pa.array(["1.jpg"] * len(IDS))
    array = pa.StructArray.from_arrays([pickles, paths], fields=fields)
    return pa.field("image", array.type), array


def write(path: Path, columns: list[tuple[pa.Field, pa.Array]]) -> Path:
    fields, arrays = zip(*columns, strict=True)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(list(arrays), schema=pa.schema(list(fields))), path)
    return path


def ids() -> tuple[pa.Field, pa.Array]:
    return pa.field("object_id", pa.string()), pa.array(IDS)


def paths() -> tuple[pa.Field, pa.Array]:
    return pa.field("image", pa.string()), pa.array(["1.jpg"] * len(IDS))


def test_the_attack_is_real(pickles: pa.Array, marker: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [ids(), structs(pickles)])
    pq.read_table(path)["image"].to_pylist()
    assert marker.exists()


@pytest.mark.parametrize("place", ["images", "image bytes", "ids", "another column"])
def test_pickled_objects_in_parquet_are_refused(
    place: str, pickles: pa.Array, marker: Path, sky: Path, opened: Opener
) -> None:
    columns = {
        "images": [ids(), (pickled("image"), pickles)],
        "image bytes": [ids(), structs(pickles)],
        "ids": [(pickled("object_id"), pickles), paths()],
        "another column": [ids(), paths(), (pickled("ra"), pickles)],
    }[place]
    path = write(sky / "a.parquet", columns)

    with pytest.raises(CatalogError, match=f"{path} holds pickled Python obj") as said:
        opened(path)

    assert not marker.exists()
    assert "\n" not in str(said.value)


def test_pickled_objects_in_a_later_file_are_taken_for_bytes(
    pickles: pa.Array, marker: Path, sky: Path, opened: Opener
) -> None:
    fields = [pa.field("bytes", pa.large_binary()), pa.field("path", pa.string())]
    honest = pa.StructArray.from_arrays(
        [pa.nulls(2, pa.large_binary()), pa.array(["1.jpg", "1.jpg"])], fields=fields
    )
    other_ids = (pa.field("object_id", pa.string()), pa.array(["c", "d"]))
    image = pa.field("image", honest.type)
    write(sky / "many" / "0.parquet", [other_ids, (image, honest)])
    write(sky / "many" / "1.parquet", [ids(), structs(pickles)])

    catalog = opened(sky / "many")
    rows = RowReader(number_rows(catalog.table), ["image"]).read(2, 4)
    streamed = [one.column(0) for one in catalog.table.read_batches(["image"])]
    _, errors = read_images(
        image_sources(rows["image"]), catalog.image_root, DecodeRule(32)
    )

    image_sources(pa.chunked_array(streamed))
    assert all(error and error.startswith("not_an_image") for error in errors)
    assert not marker.exists()


def test_pickled_parameters_of_a_type_are_refused(
    marker: Path, sky: Path, opened: Opener
) -> None:
    tensors = pa.field(
        "image",
        pa.list_(pa.int64()),
        metadata={EXTENSION: TENSOR, PARAMETERS: pickle.dumps(Touch(marker))},
    )
    path = write(sky / "a.parquet", [ids(), (tensors, pa.array([[1], [2]]))])

    with pytest.raises(CatalogError, match=f"cannot read the catalog {path}"):
        opened(path)
    assert not marker.exists()


def test_pickles_in_a_tar_are_no_columns(
    marker: Path, sky: Path, opened: Opener
) -> None:
    path = sky / "shard.tar"
    contents = {
        "a.jpg": b"\xff\xd8",
        "a.pyd": pickle.dumps(Touch(marker)),
        "a.pkl": pickle.dumps(Touch(marker)),
        "a.json": json.dumps({"py/object": "os.system"}).encode(),
        f"../../{marker.name}": b"",
        str(marker): b"",
    }
    with tarfile.open(path, "w") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

    catalog = opened(path)

    assert "pyd" not in catalog.schema.names
    assert sorted(sky.parent.iterdir()) == [sky, sky.parent / "staging"]
    assert not marker.exists()


VOTABLE = """<?xml version="1.0" encoding="{encoding}"?>{doctype}
<VOTABLE version="1.4"><RESOURCE><TABLE>
<FIELD name="object_id" datatype="char" arraysize="*"/>
<FIELD name="image" datatype="char" arraysize="*"/>
<DATA><BINARY>{stream}</BINARY></DATA></TABLE></RESOURCE></VOTABLE>"""
ENTITY = "<!DOCTYPE VOTABLE [<!ENTITY s \"&#60;STREAM href='file://{other}'/>\">]>"


@pytest.mark.parametrize("way", ["plain", "gzipped", "in UTF-16", "as an entity"])
def test_a_votable_reads_no_other_file(
    way: str, sky: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_url(url: str) -> None:
        raise AssertionError(f"{url} was opened")

    monkeypatch.setattr("urllib.request.urlopen", open_url)
    other = sky / "other"
    other.write_bytes(b"\0" * 100)
    entity = way == "as an entity"
    encoding = "UTF-16" if way == "in UTF-16" else "UTF-8"
    text = VOTABLE.format(
        encoding=encoding,
        doctype=ENTITY.format(other=other) if entity else "",
        stream="&s;" if entity else f"<STREAM href='file://{other}'/>",
    )
    gzipped = way == "gzipped"
    data = text.encode(encoding)
    path = sky / f"a.vot{'.gz' if gzipped else ''}"
    path.write_bytes(gzip.compress(data) if gzipped else data)

    with pytest.raises(CatalogError, match=f"{path} (points|decl)") as said:
        opened(path)
    assert "\n" not in str(said.value)

"""Tables of every format become the same checked catalog, to the last digit."""

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable

from galaxy_models.catalog import Catalog, open_catalog
from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables import fits as fits_tables
from galaxy_models.tables import open_table
from galaxy_models.tables.table import arrow_array

Opener = Callable[..., Catalog]

ID_18_DIGITS = 587722981736841315  # SDSS DR7: beyond what a float64 holds
IDS = [ID_18_DIGITS, ID_18_DIGITS + 1, ID_18_DIGITS + 2]
IMAGES = ["1.jpg"] * 3
U = [7, 2**31 + 5, 9]  # the second stands in the file as TNULL, 5


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    """A folder with one image, 1.jpg."""
    folder = tmp_path / "sky"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"\xff\xd8")
    return folder


@pytest.fixture
def opened(sky: Path) -> Opener:
    """Opens a catalog whose images lie under the folder ``sky``."""

    def open_it(path: Path | str, *columns: str, **settings: Any) -> Catalog:
        config = CatalogConfig(catalog=str(path), image_root=str(sky), **settings)
        return open_catalog(config, str(sky.parent / "staging"), columns)

    return open_it


def rows_of(catalog: Catalog, *columns: str) -> dict[str, list[Any]]:
    batches = catalog.table.read_batches(columns or catalog.schema.names)
    return dict(pa.Table.from_batches(batches).to_pydict())


def unit_of(catalog: Catalog, column: str) -> str:
    return str(catalog.schema.field(column).metadata[b"unit"].decode())


def part(ids: Sequence[int], **columns: Any) -> pa.Table:
    return pa.table({"object_id": ids, "image": ["1.jpg"] * len(ids), **columns})


def write_part(path: Path, ids: Sequence[int], **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(part(ids, **columns), path)


def fits_columns() -> list[fits.Column]:
    return [
        fits.Column("OBJID", "K", array=np.array(IDS)),
        fits.Column("image", "12A", array=np.array(IMAGES)),
        fits.Column("RA", "D", unit="deg", array=np.array([1.5, 2.5, np.nan])),
        fits.Column("PETRO_R", "E", unit="mag", array=np.array([17.5, 18, 19])),
        fits.Column("N", "J", null=-99, array=np.array([1, -99, 3], np.int32)),
        fits.Column("BIG", "K", bzero=2**63, array=np.array(IDS, np.uint64)),
        fits.Column("U", "J", bzero=2**31, null=5, array=np.array(U, np.uint32)),
        fits.Column("OK", "L", array=np.array([True, False, True])),
        fits.Column("FLUX", "2E", array=np.array([[1, 2], [3, 4], [5, 6]])),
        fits.Column("MANY", "PJ()", array=np.array([[1], [1, 2], [3]], object)),
    ]


def write_fits(path: Path) -> Path:
    fits.BinTableHDU.from_columns(fits_columns()).writeto(path)
    return path


def write_votable(path: Path, tabledata_format: str = "tabledata") -> Path:
    table = AstropyTable(
        {
            "objid": np.array(IDS),
            "filename": IMAGES,
            "ra": np.array([1.5, 2.5, 3.5]),
            "z": MaskedColumn(np.array([1, 2, 3], np.float32), mask=[0, 1, 0]),
        }
    )
    table["ra"].unit = "deg"
    votable = from_table(table)
    votable.get_first_table().fields[2].ucd = "pos.eq.ra;meta.main"
    votable.to_xml(str(path), tabledata_format=tabledata_format)
    return path


# Parquet


@pytest.mark.parametrize("pattern", ["part-*.parquet", "part-{0..1}.parquet"])
def test_a_pattern_names_the_files_of_a_catalog(
    pattern: str, sky: Path, opened: Opener
) -> None:
    for number in range(2):
        write_part(sky / f"part-{number}.parquet", [number])
    write_part(sky / "other.parquet", [7])

    catalog = opened(sky / pattern)

    assert catalog.num_rows == 2
    assert catalog.uri == f"{sky}/{pattern}"
    assert not (sky.parent / "staging").exists()


def test_images_of_a_pattern_lie_beside_its_files(sky: Path) -> None:
    write_part(sky / "part-0.parquet", [1])

    config = CatalogConfig(catalog=f"{sky}/part-?.parquet")

    assert open_catalog(config, "unused").image_root == str(sky)


def test_folders_named_by_key_and_value_are_columns(sky: Path, opened: Opener) -> None:
    catalog_folder = sky.parent / "k=v" / "surveys"
    write_part(catalog_folder / "run=3" / "band=r%20i" / "a.parquet", [1, 2])
    write_part(catalog_folder / "run=-7" / "band=g" / "b.parquet", [3])
    (catalog_folder / "_metadata").write_bytes(b"PAR1")
    (catalog_folder / ".hidden.parquet").write_bytes(b"")

    catalog = opened(catalog_folder, "run", "band")

    rows = rows_of(catalog, "object_id", "run", "band")
    assert rows == {
        "object_id": [3, 1, 2], "run": [-7, 3, 3], "band": ["g", "r i", "r i"],
    }  # fmt: skip
    assert catalog.schema.field("run").type == pa.int64()
    assert "k" not in catalog.schema.names
    assert not (sky.parent / "staging").exists()


@pytest.mark.parametrize("leaf", ["Npix={}.parquet", "Npix={}/part0.parquet"])
def test_a_hats_catalog_is_read_whole_and_its_sample_passed_by(
    leaf: str, sky: Path, opened: Opener
) -> None:
    hats = sky.parent / "hats"
    for number in range(3):
        folder = hats / "dataset" / f"Norder={number}" / "Dir=0"
        write_part(folder / leaf.format(40 + number), [number])
    write_part(hats / "dataset" / "data_thumbnail.parquet", [0, 1])
    (hats / "dataset" / "_common_metadata").write_bytes(b"PAR1")
    (hats / "hats.properties").write_text("hats_nrows=3")
    (hats / "skymap.fits").write_bytes(b"SIMPLE  =")

    catalog = opened(hats, "Norder", "Npix")

    assert rows_of(catalog, "object_id", "Norder", "Npix") == {
        "object_id": [0, 1, 2], "Norder": [0, 1, 2], "Npix": [40, 41, 42],
    }  # fmt: skip


def test_what_stands_only_in_names_of_files_is_staged_for_ray(
    sky: Path, opened: Opener
) -> None:
    folder = sky.parent / "hats"
    write_part(folder / "Norder=1" / "Npix=5.parquet", [1])

    assert opened(folder, "Norder").table.uris[0].endswith("Npix=5.parquet")
    staged = opened(folder, "Npix")

    assert staged.table.uris == [f"{sky.parent}/staging/catalog.parquet"]
    assert staged.uri == str(folder)


def test_a_column_of_the_file_goes_before_its_folders_name(
    sky: Path, opened: Opener
) -> None:
    folder = sky.parent / "parts"
    write_part(folder / "Norder=1" / "a.parquet", [1], Norder=pa.array([9], pa.uint8()))

    assert rows_of(opened(folder, "Norder"), "Norder") == {"Norder": [9]}


def test_a_missing_partition_value_is_null(sky: Path, opened: Opener) -> None:
    folder = sky.parent / "parts"
    write_part(folder / "run=1" / "a.parquet", [1])
    write_part(folder / "run=__HIVE_DEFAULT_PARTITION__" / "b.parquet", [2])

    rows = rows_of(opened(folder, "run"), "object_id", "run")

    assert dict(zip(rows["object_id"], rows["run"], strict=True)) == {1: 1, 2: None}


def test_units_of_parquet_fields_come_through(sky: Path, opened: Opener) -> None:
    field = pa.field("ra", pa.float64(), metadata={"unit": "deg"})
    table = part([1]).append_column(field, pa.array([1.5]))
    pq.write_table(table, sky / "a.parquet")

    catalog = opened(sky / "a.parquet", "ra")

    assert catalog.schema.field("ra").metadata == {b"unit": b"deg"}


def test_a_parquet_file_cut_short_is_refused(sky: Path, opened: Opener) -> None:
    write_part(sky / "whole.parquet", range(5000))
    data = (sky / "whole.parquet").read_bytes()
    (sky / "a.parquet").write_bytes(data[: len(data) // 2])

    with pytest.raises(CatalogError, match=r"cannot read .*a\.parquet.*copy it again"):
        opened(sky / "a.parquet")


def test_of_many_files_one_that_was_cut_short_is_refused(
    sky: Path, opened: Opener
) -> None:
    write_part(sky / "part-0.parquet", [1])
    data = (sky / "part-0.parquet").read_bytes()
    (sky / "part-1.parquet").write_bytes(data[:-9])

    with pytest.raises(CatalogError, match=r"cannot read .*part-1\.parquet"):
        opened(sky / "part-*.parquet")


def test_images_inside_a_table_are_read_a_few_at_a_time(sky: Path) -> None:
    table = pa.table({"object_id": range(1000), "image_bytes": [b"x"] * 1000})
    pq.write_table(table, sky / "a.parquet")
    opened_table = open_table(f"{sky}/a.parquet")

    batches = list(opened_table.read_batches(["object_id", "image_bytes"]))

    assert max(batch.num_rows for batch in batches) <= 256
    assert sum(batch.num_rows for batch in batches) == 1000


# CSV


def test_a_header_that_is_not_utf8_is_refused(sky: Path, opened: Opener) -> None:
    (sky / "a.csv").write_bytes("object_id,image,größe\n1,1.jpg,2\n".encode("latin1"))

    with pytest.raises(CatalogError, match=r"cannot read .*a\.csv: .*utf-8"):
        opened(sky / "a.csv")


def test_a_value_of_another_type_far_down_names_column_and_remedy(
    sky: Path, opened: Opener
) -> None:
    lines = [f"{number},1.jpg,{number}" for number in range(100_000)]
    text = "object_id,image,n\n" + "\n".join([*lines, "x7,1.jpg,many"]) + "\n"
    (sky / "a.csv").write_text(text)

    with pytest.raises(
        CatalogError, match=r"'n' of .*a\.csv starts as int64 .*'many'.*Parquet\.$"
    ) as caught:
        opened(sky / "a.csv", "n")
    assert "\n" not in str(caught.value)
    assert not (sky.parent / "staging").exists()
    assert opened(sky / "a.csv").num_rows == 100_001  # where nobody asks for it


def test_a_column_that_starts_empty_is_text(sky: Path, opened: Opener) -> None:
    lines = [f"{number},1.jpg," for number in range(100_000)]
    text = "object_id,image,note\n" + "\n".join([*lines, "x7,1.jpg,bright"]) + "\n"
    (sky / "a.csv").write_text(text)

    assert rows_of(opened(sky / "a.csv", "note"))["note"][-2:] == [None, "bright"]


def test_only_the_columns_that_were_asked_for_are_staged(
    sky: Path, opened: Opener
) -> None:
    pa_csv.write_csv(part([1], ra=[1.5], dec=[2.5]), sky / "a.csv")

    assert opened(sky / "a.csv", "dec").schema.names == ["object_id", "image", "dec"]


# FITS


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "A.FITS", "a.fits.gz"])
def test_a_fits_table_keeps_values_types_and_units(
    name: str, sky: Path, opened: Opener
) -> None:
    path = write_fits(sky / name)

    catalog = opened(path, "PETRO_R", "N", "BIG", "U", "OK", "FLUX", "ra")

    rows = rows_of(catalog)
    assert rows["OBJID"] == IDS
    assert rows["BIG"] == IDS
    assert rows["image"] == IMAGES
    assert rows["N"] == [1, None, 3]
    assert rows["U"] == [7, None, 9]
    assert rows["OK"] == [True, False, True]
    assert rows["FLUX"] == [[1, 2], [3, 4], [5, 6]]
    assert rows["RA"][:2] == [1.5, 2.5] and np.isnan(rows["RA"][2])
    assert [str(catalog.schema.field(name).type) for name in ("OBJID", "PETRO_R")] == [
        "int64", "float",
    ]  # fmt: skip
    assert unit_of(catalog, "PETRO_R") == "mag"
    assert unit_of(catalog, catalog.column("ra")) == "deg"
    assert catalog.id_column == "OBJID"


def test_a_fits_table_is_read_in_chunks(
    sky: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits_tables, "CHUNK_BYTES", 130)  # two rows
    table = open_table(str(write_fits(sky / "a.fits")))

    batches = list(table.read_batches(["OBJID"]))

    assert [batch.num_rows for batch in batches] == [2, 1]
    assert [id_ for batch in batches for id_ in batch["OBJID"].to_pylist()] == IDS


def test_blanks_that_pad_strings_are_taken_off() -> None:
    padded = np.array([b"a b  ", b"c\0\0", b""])

    assert arrow_array(padded).to_pylist() == ["a b", "c", ""]
    assert arrow_array(padded.astype("U5")).to_pylist() == ["a b", "c", ""]


def test_the_first_table_of_a_fits_file_counts(sky: Path, opened: Opener) -> None:
    image = fits.ImageHDU(np.zeros((300, 301), np.float32))
    compressed = fits.CompImageHDU(np.zeros((64, 64), np.float32))
    table = fits.BinTableHDU.from_columns(fits_columns())
    hdus = [fits.PrimaryHDU(np.zeros((99, 7))), image, compressed, table]
    fits.HDUList(hdus).writeto(sky / "a.fits")

    assert rows_of(opened(sky / "a.fits"))["OBJID"] == IDS


def test_columns_that_have_no_arrow_type_are_left_out(sky: Path) -> None:
    assert "MANY" not in open_table(str(write_fits(sky / "a.fits"))).schema.names


def test_a_fits_image_is_no_catalog(sky: Path, opened: Opener) -> None:
    fits.writeto(sky / "a.fits", np.zeros((20, 20), np.float32))

    with pytest.raises(
        CatalogError, match=r"a\.fits holds no binary table, only images.*the folder"
    ):
        opened(sky / "a.fits")


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.6, 0.95])
def test_a_fits_table_cut_short_is_refused(
    name: str, share: float, sky: Path, opened: Opener
) -> None:
    ids = np.arange(9000)
    columns = [
        fits.Column("OBJID", "K", array=ids),
        fits.Column("image", "9A", array=np.array(["1.jpg"] * len(ids))),
    ]
    path = sky / name
    fits.BinTableHDU.from_columns(columns).writeto(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])

    with pytest.raises(CatalogError, match="cannot read the catalog .*copy it again"):
        opened(path)
    assert not (sky.parent / "staging").exists()


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.vot", "a.xml", "a.tar"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\0" * 9000])
def test_garbage_of_any_suffix_is_refused_in_a_line(
    name: str, content: bytes, sky: Path, opened: Opener
) -> None:
    (sky / name).write_bytes(content)

    with pytest.raises(CatalogError) as caught:
        opened(sky / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("NAXIS1", 0), ("NAXIS1", 2**40), ("NAXIS1", 7), ("NAXIS2", -1),
        ("NAXIS2", 2**40), ("TFIELDS", 99), ("TFORM2", "12Z"), ("BITPIX", "deep"),
    ],
)  # fmt: skip
def test_a_fits_header_that_makes_no_sense_is_refused_in_a_line(
    card: str, value: Any, sky: Path, opened: Opener
) -> None:
    path = write_fits(sky / "a.fits")
    data = path.read_bytes()
    start = 2880  # where the primary header, of one block, ends
    header = fits.Header.fromstring(data[start : start + 5760])
    header[card] = value
    path.write_bytes(data[:start] + header.tostring().encode() + data[start + 5760 :])

    with pytest.raises(CatalogError, match="cannot read the catalog") as caught:
        opened(path)
    assert "\n" not in str(caught.value)


# VOTable


@pytest.mark.parametrize("tabledata_format", ["tabledata", "binary", "binary2"])
@pytest.mark.parametrize("name", ["a.vot", "a.xml", "a.votable"])
def test_a_votable_keeps_values_units_and_ucds(
    name: str, tabledata_format: str, sky: Path, opened: Opener
) -> None:
    path = write_votable(sky / name, tabledata_format)

    catalog = opened(path, "ra", "z")

    rows = rows_of(catalog)
    assert rows["objid"] == IDS
    assert rows["filename"] == IMAGES
    assert rows["ra"] == [1.5, 2.5, 3.5]
    assert rows["z"] == [1, None, 3]
    metadata = catalog.schema.field("ra").metadata
    assert metadata == {b"unit": b"deg", b"ucd": b"pos.eq.ra;meta.main"}


def test_a_gzipped_votable_is_unpacked(sky: Path, opened: Opener) -> None:
    data = write_votable(sky / "a.xml").read_bytes()
    (sky / "a.xml.gz").write_bytes(gzip.compress(data))

    assert rows_of(opened(sky / "a.xml.gz"))["objid"] == IDS


def test_a_votable_cut_short_is_refused(sky: Path, opened: Opener) -> None:
    path = write_votable(sky / "a.vot")
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(CatalogError, match=r"cannot read the catalog .*a\.vot"):
        opened(path)


def test_a_votable_that_points_elsewhere_is_refused(sky: Path, opened: Opener) -> None:
    stream = io.BytesIO()
    from_table(AstropyTable({"objid": IDS, "image": IMAGES})).to_xml(stream)
    start = stream.getvalue().partition(b"<DATA>")[0]
    (sky / "a.vot").write_bytes(
        start + b'<DATA><BINARY><STREAM href="file:///etc/passwd" /></BINARY></DATA>'
        b"</TABLE></RESOURCE></VOTABLE>"
    )

    with pytest.raises(CatalogError, match="points to its rows in another file"):
        opened(sky / "a.vot")


# What is no catalog


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing-*.parquet", r"no file matches .*nothing-\*\.parquet; check"),
        ("part-{0..3}.tar", r"no file .*part-0\.tar, which .* spells out"),
        ("*.jpg", r"matches 1 files|is an image, not a table"),
        ("1.jpg", r"1\.jpg is an image, not a table of galaxies; name the folder"),
        ("empty", r"the folder .*empty holds neither Parquet files nor images"),
    ],
)
def test_what_is_no_catalog_is_refused_with_a_remedy(
    name: str, complaint: str, sky: Path, opened: Opener
) -> None:
    (sky / "empty").mkdir()

    with pytest.raises(CatalogError, match=complaint):
        opened(sky / name)


def test_a_pattern_of_several_tables_of_text_is_refused(
    sky: Path, opened: Opener
) -> None:
    for name in ("a.csv", "b.csv"):
        (sky / name).write_text("object_id,image\n1,1.jpg\n")

    with pytest.raises(CatalogError, match=r"matches 2 files .*Parquet files or tar"):
        opened(sky / "*.csv")
    assert opened(sky / "a*.csv").num_rows == 1

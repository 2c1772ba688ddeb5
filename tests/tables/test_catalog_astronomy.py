"""FITS tables and VOTables are staged to the last digit, with their units."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import from_table
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from catalog_files import rows_of

from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import fits as fits_tables
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.formats.table import arrow_array

Opener = Callable[..., Catalog]

ID_18_DIGITS = 587722981736841315  # SDSS DR7: beyond what a float64 holds
IDS = [ID_18_DIGITS, ID_18_DIGITS + 1, ID_18_DIGITS + 2]
IMAGES = ["1.jpg"] * 3
U = [7, 2**31 + 5, 9]  # the second stands in the file as TNULL, 5


def unit_of(catalog: Catalog, column: str) -> str:
    return str(catalog.schema.field(column).metadata[b"unit"].decode())


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

"""Ids of catalogs: kept to the last digit, each once, and told by a fingerprint."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from catalog_files import HEADER, Opener, frame_of, part

from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.tables.formats import open_parquet
from galaxy_models.tables.object_ids import IdSet

ID_18_DIGITS = 587722981736841315  # SDSS DR7: beyond what a float64 holds
ID_19_DIGITS = 1237648720693755919  # SDSS DR8


@pytest.mark.parametrize("object_id", [ID_18_DIGITS, ID_19_DIGITS])
@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_long_ids_survive_to_the_last_digit(
    object_id: int, name: str, catalog_of: Opener
) -> None:
    ids = [object_id, object_id + 1]
    text = HEADER + "".join(f"{value},1.jpg\n" for value in ids)

    catalog = catalog_of(text if name.endswith("csv") else part(ids), name)

    assert catalog.id_type == pa.int64()
    rows = frame_of(catalog)
    assert rows["object_id"].dtype == np.int64
    assert rows["object_id"].tolist() == ids


@pytest.mark.parametrize(
    "ids",
    [
        ["007", "8"],
        ["1", "J1237+0012"],
        ["5.0", "6.5"],
        ["+5", "6"],
        ["18446744073709551615", "1"],
    ],
    ids=["leading zeros", "mixed", "decimal", "plus sign", "20 digits"],
)
def test_ids_that_are_not_plain_integers_stay_text(
    ids: list[str], catalog_of: Opener
) -> None:
    catalog = catalog_of(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert catalog.id_type == pa.string()
    assert frame_of(catalog)["object_id"].tolist() == ids


def test_one_text_id_far_down_keeps_every_id_text(catalog_of: Opener) -> None:
    ids = [str(number) for number in range(120_000)] + ["x7"]  # over 1 MB

    catalog = catalog_of(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert catalog.id_type == pa.string()
    assert frame_of(catalog)["object_id"].tolist() == ids


def test_large_strings_are_ids_and_paths_too(catalog_of: Opener) -> None:
    text = pa.large_string()
    content = pa.table(
        {"object_id": pa.array(["a"], text), "image": pa.array(["1.jpg"], text)}
    )

    assert catalog_of(content, "galaxies.parquet").id_type == pa.string()


def test_a_repeated_id_is_named(catalog_of: Opener) -> None:
    content = HEADER + "7,1.jpg\n8,1.jpg\n7,1.jpg\n"

    with pytest.raises(
        CatalogError, match=r"1 id\(s\) of column 'object_id' .* more than once: 7;"
    ):
        catalog_of(content)


def test_ids_repeated_in_different_files_are_named(
    catalog_of: Opener, sky: Path
) -> None:
    catalog_of(part([1, 2, 3]), "parts/part-0.parquet", image_root=str(sky))
    catalog_of(part([4, 2, 1]), "parts/part-1.parquet", image_root=str(sky))

    with pytest.raises(CatalogError, match=r"2 id\(s\).*more than once: (1, 2|2, 1);"):
        open_catalog(
            CatalogConfig(catalog=f"{sky}/parts", image_root=str(sky)), "unused"
        )


def test_ids_repeated_in_different_batches_are_named(catalog_of: Opener) -> None:
    ids = [*range(140_000), 5]  # a batch has 131 072 rows

    with pytest.raises(CatalogError, match="more than once: 5;"):
        catalog_of(part(ids), "galaxies.parquet")


def test_of_many_repeated_ids_only_some_are_shown(catalog_of: Opener) -> None:
    with pytest.raises(
        CatalogError, match=r"40 id\(s\).*once: 0, 1, 2, 3, 4, …; every galaxy needs"
    ):
        catalog_of(part([*range(40), *range(40)]), "galaxies.parquet")


@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_a_null_id_is_refused(name: str, catalog_of: Opener) -> None:
    text = HEADER + "7,1.jpg\n,1.jpg\n"

    with pytest.raises(
        CatalogError, match=r"column 'object_id' .* null in 1 row\(s\).*needs an id"
    ):
        catalog_of(text if name.endswith("csv") else part([7, None]), name)


def test_float_ids_are_refused_because_they_lose_digits(catalog_of: Opener) -> None:
    with pytest.raises(
        CatalogError, match="'object_id' .* are double; they must be strings or int"
    ):
        catalog_of(part([float(ID_18_DIGITS)]), "galaxies.parquet")


@pytest.mark.parametrize(
    "ids",
    [
        ["982076.0", "982077.0"],
        ["5.877324827658159e+17", "982076.0"],
        ["5.877324827658159E17", "1.0E7"],
        ["1e+17", "982076.000000"],
    ],
    ids=["pandas", "large and small", "Java", "C"],
)
@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_ids_that_are_texts_of_floats_are_refused_with_the_remedy(
    ids: list[str], name: str, catalog_of: Opener
) -> None:
    text = HEADER + "".join(f"{value},1.jpg\n" for value in ids)
    example = re.escape(repr(ids[0]))

    with pytest.raises(
        CatalogError, match=f"'object_id' .* floats, such as {example}; .* int64 or str"
    ):
        catalog_of(text if name.endswith("csv") else part(ids), name)


@pytest.mark.parametrize(
    "ids",
    [
        ["J1234+5678", "982076.0"],
        ["12.5-a", "13.5-a"],
        ["982076.0", "982077"],
        ["007.0", "008.0"],
        ["12e567", "31e889"],
        ["2.10", "2.20"],
    ],
    ids=["some only", "suffix", "integer", "leading zeros", "hexadecimal", "numbering"],
)
def test_ids_that_only_resemble_floats_stay_text(
    ids: list[str], catalog_of: Opener
) -> None:
    catalog = catalog_of(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert frame_of(catalog)["object_id"].tolist() == ids


def test_one_real_id_after_many_floats_is_enough(catalog_of: Opener) -> None:
    ids = [f"{number}.0" for number in range(120_000)] + ["x7"]  # over 1 MB

    catalog = catalog_of(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert catalog.num_rows == len(ids)


def test_ids_beyond_64_signed_bits_are_refused(catalog_of: Opener) -> None:
    ids = pa.array([2**64 - 1], pa.uint64())

    with pytest.raises(CatalogError, match="object_id"):
        catalog_of(part(ids), "galaxies.parquet")


def test_the_fingerprint_hangs_on_neither_order_nor_type_of_the_ids(
    catalog_of: Opener,
) -> None:
    numbers = catalog_of(part([ID_18_DIGITS, 2, 3]), "a.parquet")
    texts = catalog_of(part(["3", str(ID_18_DIGITS), "2"]), "b.parquet")
    others = catalog_of(part([ID_18_DIGITS + 1, 2, 3]), "c.parquet")

    assert numbers.fingerprint == texts.fingerprint
    assert numbers.fingerprint != others.fingerprint


def test_the_fingerprint_is_that_of_ids_that_come_in_pieces(catalog_of: Opener) -> None:
    catalog = catalog_of(part([1, 2, 3]), "a.parquet")
    ids = IdSet(open_parquet(catalog.uri), "object_id")
    ids.add(pa.array([3, 1]))
    ids.add(pa.array([2]))

    assert ids.fingerprint() == (catalog.fingerprint, 3)

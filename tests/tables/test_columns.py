"""Columns are found under the names that the field gives them, or not at all."""

import pytest

from galaxy_models.errors import CatalogError
from galaxy_models.tables.columns import ALIASES, find_column


def found(name: str, *names: str) -> str:
    return find_column(name, names, "sky.csv", tuple(ALIASES))


@pytest.mark.parametrize(
    ("name", "own_name"),
    [
        ("object_id", "objID"), ("object_id", "dr7objid"), ("object_id", "SOURCE_ID"),
        ("object_id", "iauname"), ("object_id", "OBJECT_ID"), ("object_id", "id_str"),
        ("image", "file_loc"), ("image", "Filename"), ("image", "cutout"),
        ("image", "image_bytes"), ("label", "class"), ("label", "summary"),
        ("ra", "RA"), ("ra", "RAJ2000"), ("dec", "DEJ2000"), ("dec", "declination"),
    ],
)  # fmt: skip
def test_a_usual_other_name_in_any_case_is_found(name: str, own_name: str) -> None:
    assert found(name, "x", own_name, "y") == own_name


def test_the_name_asked_for_goes_before_all_others() -> None:
    assert found("object_id", "id", "ID_STR", "object_id") == "object_id"
    assert found("ra", "RA", "ra") == "ra"


@pytest.mark.parametrize(
    ("name", "names", "flag"),
    [
        ("object_id", ("id_str", "objid"), "--id-column"),
        ("image", ("filename", "image_bytes"), "--image-column"),
        ("label", ("class", "summary"), "--label-column"),
        ("ra", ("RA", "Ra"), "--keep"),
    ],
)
def test_two_candidates_are_refused_by_name_and_flag(
    name: str, names: tuple[str, str], flag: str
) -> None:
    with pytest.raises(
        CatalogError, match=f"'{names[0]}' and '{names[1]}' of sky.csv .*{flag}"
    ):
        found(name, *names)


def test_other_names_stand_for_themselves_alone() -> None:
    assert found("petro_r", "petro_r", "PETRO_R") == "petro_r"
    with pytest.raises(CatalogError, match="no column 'petro_r' in sky.csv; it has"):
        found("petro_r", "PETRO_R")


def test_a_role_that_is_not_meant_has_no_aliases() -> None:
    with pytest.raises(CatalogError, match="no column 'image'"):
        find_column("image", ("file_loc",), "sky.csv", ("ra", "dec"))

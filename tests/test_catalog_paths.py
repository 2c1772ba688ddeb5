"""Catalogs whose images lie elsewhere are told how to be let in."""

import re
from pathlib import Path

import pytest

from galaxy_models.catalog import open_catalog
from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    """A catalog with the absolute path of an image outside of its folder."""
    (tmp_path / "sky").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "1.jpg").write_bytes(b"\xff\xd8")
    path = tmp_path / "sky" / "galaxies.csv"
    path.write_text(f"object_id,image\n1,{tmp_path}/disk/1.jpg\n2,../disk/1.jpg\n")
    return str(path)


def test_images_outside_of_the_image_root_are_refused_with_the_flag_that_helps(
    catalog: str, tmp_path: Path
) -> None:
    example = re.escape(f"{tmp_path}/disk/1.jpg does not lie below {tmp_path}/sky")

    with pytest.raises(CatalogError, match=rf"{example}.*--allow-image-prefix PREFIX"):
        open_catalog(CatalogConfig(catalog=catalog), str(tmp_path / "staging"))


@pytest.mark.parametrize("root", ["/", None])
def test_an_allowed_folder_or_a_wider_root_lets_them_in(
    root: str | None, catalog: str, tmp_path: Path
) -> None:
    allowed = () if root else (f"{tmp_path}/disk",)
    config = CatalogConfig(catalog=catalog, image_root=root, allow_image_prefix=allowed)

    opened = open_catalog(config, str(tmp_path / "staging"))

    assert opened.num_rows == 2
    assert opened.allowed_prefixes == allowed


def test_a_scheme_that_was_not_allowed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "galaxies.csv").write_text("object_id,image\n1,http://host/1.jpg\n")
    config = CatalogConfig(catalog=str(tmp_path / "galaxies.csv"))

    with pytest.raises(CatalogError, match="unknown scheme 'http'"):
        open_catalog(config, str(tmp_path / "staging"))

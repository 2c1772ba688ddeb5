"""Catalogs whose images lie elsewhere are told how to be let in."""

import re
from pathlib import Path
from typing import Any

import pytest

from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError, ImageDecodeError
from galaxy_models.images.files import read_files
from galaxy_models.tables.catalog import open_catalog


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
    config = CatalogConfig(catalog=catalog, image_root=f"{tmp_path}/sky")

    with pytest.raises(CatalogError, match=rf"{example}.*--allow-image-prefix PREFIX"):
        open_catalog(config, str(tmp_path / "staging"))


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"image_root": "/"},
        {"image_root": "sky", "allow_image_prefix": ("disk",)},
    ],
)
def test_full_paths_are_let_in_without_a_root_below_it_and_where_allowed(
    flags: dict[str, Any], catalog: str, tmp_path: Path
) -> None:
    if flags.get("allow_image_prefix"):
        flags = {
            "image_root": f"{tmp_path}/sky",
            "allow_image_prefix": (f"{tmp_path}/disk",),
        }

    opened = open_catalog(
        CatalogConfig(catalog=catalog, **flags), str(tmp_path / "staging")
    )

    paths = [f"{tmp_path}/disk/1.jpg", "../disk/1.jpg"]
    good, climbing = read_files(paths, opened.image_root, opened.allowed_prefixes)
    assert good == b"\xff\xd8"
    if opened.image_root == "/":
        assert isinstance(climbing, ImageDecodeError) and climbing.reason == "missing"
    else:
        assert isinstance(climbing, ImageDecodeError) and climbing.reason == "refused"


@pytest.mark.parametrize("scheme", ["http", "https", "gs"])
def test_images_of_another_scheme_are_to_be_downloaded_first(
    scheme: str, tmp_path: Path
) -> None:
    text = f"object_id,image\n1,{scheme}://host/1.jpg\n"
    (tmp_path / "galaxies.csv").write_text(text)
    config = CatalogConfig(catalog=str(tmp_path / "galaxies.csv"))

    with pytest.raises(
        CatalogError, match=f"unknown scheme '{scheme}'.*; download the images first"
    ) as caught:
        open_catalog(config, str(tmp_path / "staging"))
    assert "--allow-image-prefix" not in str(caught.value)

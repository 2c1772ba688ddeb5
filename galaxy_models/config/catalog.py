"""Where galaxies are listed: flags that several jobs share."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CatalogConfig:
    """Where the galaxies are listed and which columns say what."""

    catalog: str
    """Table with a row per galaxy (Parquet, CSV, TSV, FITS, VOTable), a folder of
    Parquet files or of images, tar shards, or a pattern such as 'part-*.parquet'."""

    image_root: str | None = None
    """Folder that relative image paths start from; the catalog's own folder if left
    out."""

    id_column: str = "object_id"
    """Column of unique galaxy names (string or integer); if left out, the usual other
    names are found too."""

    image_column: str = "image"
    """Column of image URIs, of paths relative to --image-root, or of images' bytes; if
    left out, the usual other names are found too."""

    s3_endpoint_url: str | None = None
    """Object store that s3:// leads to; AWS_ENDPOINT_URL, or AWS, if left out."""

    allow_image_prefix: tuple[str, ...] = ()
    """Further folders (absolute paths or s3:// URIs) whose images the catalog may name,
    where --image-root is given; without both it may name any by its full path."""

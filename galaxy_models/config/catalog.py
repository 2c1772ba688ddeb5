"""The catalog and its columns: flags that several jobs share."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CatalogConfig:
    """The catalog, its columns, and where its images are."""

    catalog: str
    """Table with one row per galaxy (Parquet, CSV, TSV, FITS, VOTable), a HATS
    collection or catalog, a folder of Parquet files or of images, tar shards, or a
    pattern such as 'part-*.parquet'."""

    image_root: str | None = None
    """Folder that relative image paths start from; default: the catalog's folder."""

    id_column: str = "object_id"
    """Column of unique ids (string or integer); if left out, other usual names are
    found too."""

    image_column: str = "image"
    """Column of image URIs, paths relative to --image-root, or image bytes; if left
    out, other usual names are found too."""

    s3_endpoint_url: str | None = None
    """Endpoint of s3:// URIs; default: AWS_ENDPOINT_URL if set, otherwise AWS."""

    allow_image_prefix: tuple[str, ...] = ()
    """With --image-root: further folders (absolute paths or s3:// URIs) whose images
    the catalog may name. Without both flags it may name any full path."""

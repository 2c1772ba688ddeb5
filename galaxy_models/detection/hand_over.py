"""What is made of finished detections: stamps, regions, overlays.

The driver reads the detections an image at a time, in their order, and opens its image
once more. A folder is complete when its record is there (such as ``_stamps.json``); one
that is not is made anew.
"""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import simplejpeg
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.chunks.ledger import to_parquet
from galaxy_models.config import DetectConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.config.detect import HAND_OVERS
from galaxy_models.detection.opening import Images
from galaxy_models.detection.overlay import overlay
from galaxy_models.detection.regions import region_file
from galaxy_models.detection.request import open_request
from galaxy_models.detection.run_record import RunRecord
from galaxy_models.detection.stamps import cut_around
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide_image import WideImage
from galaxy_models.storage import output_folder
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.prediction_schema import STATUS_OK

logger = logging.getLogger(__name__)

STAMP_QUALITY = 95
SUFFIXES = {"stamps": ".parquet", "regions": ".reg", "overlay": ".jpg"}
MAX_NAME = 100  # characters of an image's name in a file's
COLUMNS = (
    "object_id", "image", "ra", "dec", "x", "y", "r90", "is_primary", "predicted_class",
    "score", "status",
)  # fmt: skip
STAMP_SCHEMA = pa.schema(
    {
        "object_id": pa.int64(),
        "image_bytes": pa.binary(),
        "frame": pa.string(),
        "ra": pa.float64(),
        "dec": pa.float64(),
        "predicted_class": pa.string(),
        "score": pa.float32(),
    }
)


@dataclass(frozen=True)
class Found:
    """An image and its primary sources."""

    file_name: str
    """Of what is made of it, without a suffix."""

    image: WideImage
    rows: pd.DataFrame
    stamp_rule: DecodeRule
    """Of whole stamps: the model's crop of them is what the network saw."""


def _kind(flag: str) -> output_folder.OutputKind:
    """What a folder is for."""
    return output_folder.OutputKind(
        job=f"jobs.detect --{flag}",
        results_name=f"_{flag}.json",  # what they were made of
        names=(f"[0-9]*-*{SUFFIXES[flag]}",),
        flag=f"--{flag}",
    )


def check_folders(config: DetectConfig) -> None:
    """Refuse folders that hold something else, before any work.

    Raises:
        OutputError: naming the folder.
    """
    for flag in HAND_OVERS:
        folder = getattr(config, flag)
        if folder is not None:
            # What is there of the same kind is made anew where it is of other rows.
            output_folder.check_output(folder, _kind(flag), overwrite=True)


def hand_over(config: DetectConfig, record: RunRecord) -> None:
    """Make what was asked for of finished detections.

    Raises:
        OutputError: another job works in a folder.
        StorageError: an object store does not answer.
    """
    made_of = {"detections": storage.absolute_uri(config.output), **record.resume_key}
    made_of_bytes = output_folder.json_bytes(made_of)
    for flag in HAND_OVERS:
        folder, kind = getattr(config, flag), _kind(flag)
        if folder is None or _is_made(folder, kind, made_of_bytes):
            continue
        with output_folder.held_output(folder, kind, True, False) as uri:
            output_folder.begin_output(uri, kind, {})
            _make(flag, uri, config)
            storage.write_bytes(storage.join(uri, kind.results_name), made_of_bytes)
            output_folder.finish_output(uri)
        logger.info("%s: made of %s", folder, config.output)


def _is_made(folder: str, kind: output_folder.OutputKind, made_of: bytes) -> bool:
    """Whether a folder is complete, and was made of the same."""
    uri = storage.join(storage.absolute_uri(folder), kind.results_name)
    return storage.is_file(uri) and storage.read_bytes(uri) == made_of


Maker = Callable[[Found], bytes | pa.Buffer | None]
"""Makes a file of an image: its content; None where there is nothing."""


def _make(flag: str, folder: str, config: DetectConfig) -> None:
    """Make a file of each image, as far as it can be read."""
    for found in _images_found(config):
        try:
            content = MAKERS[flag](found)
        except ImageDecodeError as error:
            logger.warning("%s: %s; left out", found.file_name, error)
            continue
        finally:
            found.image.close()
        if content is not None:
            uri = storage.join(folder, f"{found.file_name}{SUFFIXES[flag]}")
            storage.write_bytes(uri, content)


def _images_found(config: DetectConfig) -> Iterator[Found]:
    """Open each image that can be read, with its primary sources."""
    with tempfile.TemporaryDirectory() as staging:
        request = open_request(config, staging)
        images, rule = Images(request), request.rule
        stamp_rule = replace(
            rule,
            image_size=round(rule.image_size / rule.crop_fraction),
            crop_fraction=1.0,
        )
        numbers = {images.name(n): n for n in range(request.catalog.num_rows)}
        for name, rows in _by_image(storage.absolute_uri(config.output)):
            rows = rows[rows["is_primary"] & (rows["status"] == STATUS_OK)]
            try:
                image = images.open(numbers[name])
            except ImageDecodeError as error:
                logger.warning("%s: %s; left out", name, error)
                continue
            yield Found(
                file_name=f"{numbers[name]:06d}-{_plain(name)}",
                image=image,
                rows=rows,
                stamp_rule=stamp_rule,
            )


def _by_image(output: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Read the detections, the rows of an image together; they lie together."""
    last, parts = "", list[pd.DataFrame]()
    for batch in open_parquet_folder(output).read_batches(COLUMNS):
        for name, rows in batch.to_pandas().groupby("image", sort=False):
            if parts and name != last:
                yield last, pd.concat(parts, ignore_index=True)
                parts = []
            last = str(name)
            parts.append(rows)
    if parts:
        yield last, pd.concat(parts, ignore_index=True)


def _plain(name: str) -> str:
    """An image's name as a part of a file's."""
    return re.sub(r"[^\w.-]+", "_", name)[-MAX_NAME:]


def _stamps(found: Found) -> pa.Buffer | None:
    """Cut the stamps of an image's sources that have a class."""
    chosen = found.rows[found.rows["predicted_class"].notna()]
    if chosen.empty:
        return None
    stamps = [
        _jpeg(cut_around(found.image, (x, y), r90, found.stamp_rule))
        for x, y, r90 in chosen[["x", "y", "r90"]].to_numpy()
    ]
    columns = {
        "object_id": chosen["object_id"],
        "image_bytes": stamps,
        "frame": chosen["image"],
        **{name: chosen[name] for name in STAMP_SCHEMA.names[3:]},
    }
    arrays = [
        pa.array(columns[field.name], field.type, from_pandas=True)
        for field in STAMP_SCHEMA
    ]
    return to_parquet(pa.table(arrays, schema=STAMP_SCHEMA))


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(simplejpeg.encode_jpeg(pixels, quality=STAMP_QUALITY))


def _regions(found: Found) -> bytes:
    return region_file(found.rows, found.image).encode()


def _overlay(found: Found) -> bytes:
    return overlay(found.rows, found.image)


MAKERS: Mapping[str, Maker] = {
    "stamps": _stamps, "regions": _regions, "overlay": _overlay,
}  # fmt: skip

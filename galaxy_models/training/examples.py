"""A labelled catalog -> decoded examples, in one shard a worker and side.

Every image is decoded once, before the first epoch, and stays in Ray's object store
(which spills to disk). This module knows neither networks nor TensorFlow.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import ray

from galaxy_models.catalog import Catalog
from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.images import read_images
from galaxy_models.job_log import JobLog
from galaxy_models.training.labels import is_validation, label_texts

DECODE_BATCH_SIZE = 64  # galaxies; small enough that every CPU gets some
ROWS_PER_BLOCK = 512  # galaxies; 77 MB of decoded pixels at 224 px
MIN_BLOCKS = 4  # so that a small catalog, too, is decoded by several CPUs
SIDES = ("training", "validation")

Shards = dict[str, list[Any]]


def decode_shards(
    config: TrainConfig,
    catalog: Catalog,
    classes: tuple[str, ...],
    num_workers: int,
    log: JobLog,
) -> Shards:
    """Decode every galaxy once.

    Rows are shuffled before they are decoded, while they are small: a worker later
    mixes only what its buffer holds, and a catalog may be sorted by class.

    Returns:
        For each side, a materialized dataset a worker; they differ by one row at most.

    Raises:
        TrainingError: a side has fewer readable galaxies than there are workers.
    """
    rows = ray.data.read_parquet(
        catalog.parquet_uri,
        columns=[catalog.id_column, catalog.image_column, config.label_column],
        override_num_blocks=max(MIN_BLOCKS, catalog.num_rows // ROWS_PER_BLOCK),
    ).random_shuffle(seed=config.seed)
    shards: Shards = {}
    for side in SIDES:
        decoded = rows.map_batches(
            decode_side,
            batch_size=DECODE_BATCH_SIZE,
            batch_format="pyarrow",
            fn_kwargs={
                "side": side,
                "classes": classes,
                "catalog": catalog,
                "config": config,
                "log": log,
            },
        ).materialize()
        shards[side] = _split_evenly(decoded, num_workers, side)
    return shards


def decode_side(
    rows: pa.Table,
    *,
    side: str,
    classes: tuple[str, ...],
    catalog: Catalog,
    config: TrainConfig,
    log: JobLog,
) -> dict[str, Any]:
    """Ray step: keep one side of the validation split and decode its images.

    Args:
        rows: id, image and label of some galaxies.
        side: ``training`` or ``validation``.
        classes: class names in order.
        catalog: names of the columns, and where images lie.
        config: the split, the image size and the crop.
        log: where galaxies are named that cannot be decoded; they are left out.

    Returns:
        ``object_id``, ``label`` (int64, index of the class) and ``image`` (uint8,
        shape (galaxies, image_size, image_size, 3)).
    """
    held_back = is_validation(rows[catalog.id_column], config.validation_fraction)
    rows = rows.filter(pa.array(held_back == (side == "validation")))
    paths = rows[catalog.image_column].to_pylist()
    images, errors = read_images(
        paths, catalog.image_root, config.decode_rule, catalog.allowed_prefixes
    )
    is_good = np.asarray([error is None for error in errors], bool)
    object_ids = rows[catalog.id_column].to_pylist()
    for object_id, error in zip(object_ids, errors, strict=True):
        if error is not None:
            log.say(f"left out galaxy {object_id}: {error}")
    index = {name: i for i, name in enumerate(classes)}
    names = label_texts(rows[config.label_column], config.label_column, catalog.uri)
    labels = [index[name] for name in names]
    return {
        "object_id": np.asarray(object_ids, _id_type(catalog))[is_good],
        "label": np.asarray(labels, np.int64)[is_good],
        "image": images[is_good],
    }


def _id_type(catalog: Catalog) -> type:
    return np.int64 if pa.types.is_integer(catalog.id_type) else object


def _split_evenly(dataset: Any, num_workers: int, side: str) -> list[Any]:
    """Give each worker the same number of galaxies, but for one at most."""
    num_rows = dataset.count()
    if num_rows < num_workers:
        raise TrainingError(
            f"{num_rows} {side} galaxies could be decoded, fewer than the "
            f"{num_workers} worker(s); the lines above name what failed."
        )
    ends = [num_rows * (rank + 1) // num_workers for rank in range(num_workers - 1)]
    return list(dataset.split_at_indices(ends)) if ends else [dataset]

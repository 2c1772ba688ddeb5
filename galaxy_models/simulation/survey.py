"""Writes a made-up survey: a folder of JPEG cutouts and the catalog of them.

    folder/catalog.csv        object_id, image, ra, dec, label
    folder/images/<object_id>.jpg

A galaxy depends on the seed and on its place in the catalog only, so any number
of processes writes the same bytes. The catalog is made in memory: fine for tens
of millions of rows, about 100 bytes each.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ConfigError
from galaxy_models.simulation.damage import DAMAGES, Damage
from galaxy_models.simulation.galaxies import CLASSES, check_image_size, draw_galaxy

# More even than Galaxy Zoo 2, where one galaxy in sixty is a cigar: a network has
# to meet every class in a small sample.
CLASS_WEIGHTS = {
    "round": 0.25,
    "in_between": 0.2,
    "cigar": 0.12,
    "edge_on": 0.15,
    "spiral": 0.28,
}

FIRST_OBJECT_ID = 587_722_981_742_084_096  # in SDSS DR7's range
OBJECT_ID_LIMITS = (10**17, 10**18)  # 18 digits: too long for a float64

# A patch in SDSS's northern footprint, deg (ICRS).
RA_LIMITS_DEG = (150.0, 165.0)
DEC_LIMITS_DEG = (20.0, 35.0)

JPEG_QUALITY = 90
GALAXIES_PER_TASK = 64  # about a quarter of a second of drawing

COLUMN_TYPES = {
    "object_id": pa.int64(),
    "image": pa.string(),
    "ra": pa.float64(),
    "dec": pa.float64(),
    "label": pa.string(),
}


@dataclass(frozen=True)
class Survey:
    """What ``write_survey`` wrote.

    Args:
        catalog: path of the catalog; images are relative to its folder.
        broken_object_ids: ascending ids of the galaxies whose image cannot be
            read.
    """

    catalog: Path
    broken_object_ids: tuple[int, ...]


@dataclass(frozen=True)
class _Cutout:
    """One image to write; its index in the catalog seeds its galaxy."""

    index: int
    path: Path
    label: str
    damage: Damage | None


def write_survey(
    folder: Path,
    num_galaxies: int,
    *,
    image_size: int = 96,
    seed: int = 0,
    broken_fraction: float = 0.0,
    labelled: bool = True,
    object_id_start: int = FIRST_OBJECT_ID,
    num_processes: int = 1,
    catalog_name: str = "catalog.csv",
) -> Survey:
    """Writes images and their catalog; replaces files of the same names.

    Args:
        folder: made if needed.
        num_galaxies: rows of the catalog. From 20 on every class occurs.
        image_size: height and width of the images, pixels.
        seed: 0 or above; the same seed gives the same bytes.
        broken_fraction: part of the images, rounded to whole ones, that is
            truncated, empty, an HTML page or missing, in turn.
        labelled: whether the catalog has the column ``label``.
        object_id_start: the first id, 18 digits; the others follow on it.
        num_processes: above 1, that many fresh processes draw, and the calling
            script needs its ``if __name__ == "__main__":``.
        catalog_name: ends in .csv or .parquet.

    Raises:
        ConfigError: a value makes no sense.
    """
    _check_numbers(num_galaxies, seed, broken_fraction, num_processes)
    _check_object_ids(object_id_start, num_galaxies)
    _check_catalog_name(catalog_name)
    check_image_size(image_size)
    rng = np.random.default_rng(seed)
    catalog = _draw_catalog(num_galaxies, object_id_start, rng)
    num_broken = round(broken_fraction * num_galaxies)
    broken = np.sort(rng.choice(num_galaxies, num_broken, replace=False))

    (folder / "images").mkdir(parents=True, exist_ok=True)
    tasks = _tasks(_list_cutouts(folder, catalog, broken))
    _run(partial(_write_images, image_size, seed), tasks, num_processes)
    path = folder / catalog_name
    _write_catalog(catalog if labelled else catalog.drop(columns="label"), path)
    return Survey(path, tuple(catalog["object_id"].iloc[broken].tolist()))


def _check_numbers(
    num_galaxies: int, seed: int, broken_fraction: float, num_processes: int
) -> None:
    """Raises ConfigError for a number outside its range."""
    if num_galaxies < 1:
        raise ConfigError(f"num_galaxies is {num_galaxies}; choose at least 1.")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; choose 0 or a positive integer.")
    if not 0 <= broken_fraction < 1:
        raise ConfigError(
            f"broken_fraction is {broken_fraction}; choose from 0 up to, "
            "but not including, 1."
        )
    if num_processes < 1:
        raise ConfigError(f"num_processes is {num_processes}; choose at least 1.")


def _check_object_ids(object_id_start: int, num_galaxies: int) -> None:
    """Raises ConfigError unless all ids have 18 digits."""
    lowest, end = OBJECT_ID_LIMITS
    if object_id_start < lowest or object_id_start + num_galaxies > end:
        raise ConfigError(
            f"object_id_start is {object_id_start}, which does not give all "
            f"{num_galaxies} galaxies an id of 18 digits; "
            f"choose from {lowest} to {end - num_galaxies}."
        )


def _check_catalog_name(catalog_name: str) -> None:
    """Raises ConfigError unless the name is a plain .csv or .parquet name."""
    path = Path(catalog_name)
    if path.name != catalog_name or path.suffix not in {".csv", ".parquet"}:
        raise ConfigError(
            f"catalog_name is {catalog_name!r}; choose a file name, without a "
            "folder, that ends in .csv or .parquet."
        )


def _draw_catalog(
    num_galaxies: int, object_id_start: int, rng: np.random.Generator
) -> pd.DataFrame:
    """All columns, with labels; ra and dec in deg (ICRS)."""
    object_ids = np.arange(num_galaxies, dtype=np.int64) + object_id_start
    labels = _draw_labels(num_galaxies, rng)
    ra_deg, dec_deg = _draw_positions(num_galaxies, rng)
    return pd.DataFrame(
        {
            "object_id": object_ids,
            "image": [f"images/{object_id}.jpg" for object_id in object_ids],
            "ra": ra_deg,
            "dec": dec_deg,
            "label": labels,
        }
    )


def _draw_labels(num_galaxies: int, rng: np.random.Generator) -> list[str]:
    """Each class as often as its weight says, to within one galaxy; shuffled."""
    expected = np.array([CLASS_WEIGHTS[name] for name in CLASSES]) * num_galaxies
    counts = np.floor(expected).astype(int)
    short = num_galaxies - counts.sum()
    most_short_first = np.argsort(counts - expected, kind="stable")
    counts[most_short_first[:short]] += 1
    indices = rng.permutation(np.repeat(np.arange(len(CLASSES)), counts))
    return [CLASSES[index] for index in indices]


def _draw_positions(
    num_galaxies: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Right ascensions and declinations, deg, to 4 milliarcseconds.

    Equal areas of sky get equally many galaxies: the sine of the declination is
    uniform, because circles of declination shrink with its cosine.
    """
    ra_deg = rng.uniform(*RA_LIMITS_DEG, num_galaxies)
    lowest, highest = np.sin(np.radians(DEC_LIMITS_DEG))
    sines = rng.uniform(lowest, highest, num_galaxies)
    return ra_deg.round(6), np.degrees(np.arcsin(sines)).round(6)


def _list_cutouts(
    folder: Path, catalog: pd.DataFrame, broken: NDArray[np.int64]
) -> Iterator[_Cutout]:
    """The images of a catalog; those at the broken rows get damages in turn."""
    damages = dict(zip(broken.tolist(), cycle(DAMAGES), strict=False))
    rows = zip(catalog["image"], catalog["label"], strict=True)
    for index, (image, label) in enumerate(rows):
        yield _Cutout(index, folder / image, label, damages.get(index))


def _tasks(cutouts: Iterator[_Cutout]) -> Iterator[list[_Cutout]]:
    """Cutouts in lists of ``GALAXIES_PER_TASK``, the last one shorter."""
    while task := list(islice(cutouts, GALAXIES_PER_TASK)):
        yield task


def _run(
    write: Callable[[list[_Cutout]], None],
    tasks: Iterator[list[_Cutout]],
    num_processes: int,
) -> None:
    """Writes all images, here or in processes of their own."""
    if num_processes == 1:
        for task in tasks:
            write(task)
        return
    # A forked copy of a process with threads (Ray's, TensorFlow's) can lock up.
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(write, tasks):
            pass


def _write_images(image_size: int, seed: int, task: list[_Cutout]) -> None:
    """Draws and writes images; a lost one is removed if an older one is there."""
    for cutout in task:
        jpeg = _draw_jpeg(cutout, image_size, seed)
        file_bytes = cutout.damage(jpeg) if cutout.damage else jpeg
        if file_bytes is None:
            cutout.path.unlink(missing_ok=True)
        else:
            cutout.path.write_bytes(file_bytes)


def _draw_jpeg(cutout: _Cutout, image_size: int, seed: int) -> bytes:
    """One galaxy as a JPEG file's bytes."""
    # A spawn key, because the seeds s and [s, 0] would be the same to numpy.
    own_seed = np.random.SeedSequence(seed, spawn_key=(cutout.index,))
    rgb = draw_galaxy(cutout.label, image_size, np.random.default_rng(own_seed))
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _write_catalog(catalog: pd.DataFrame, path: Path) -> None:
    """CSV or Parquet, as the path's suffix says."""
    if path.suffix == ".csv":
        catalog.to_csv(path, index=False)
        return
    table = pa.Table.from_pandas(
        catalog,
        schema=pa.schema([(name, COLUMN_TYPES[name]) for name in catalog.columns]),
        preserve_index=False,
    )
    pq.write_table(table, path)

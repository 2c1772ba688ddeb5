"""Sky map of the predictions: galaxies per square degree, in cells.

The rows are read twice, two columns only: to find the part of the sky, then to count.
Memory does not grow with them. Positions are in degrees (ICRS).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.formats import Table
from galaxy_models.tables.prediction_schema import DEGREES

Floats = NDArray[np.float64]

RA_DEC = ("ra", "dec")
CELLS_ACROSS = (6, 72)  # least and most, of a patch's longer side
GALAXIES_PER_CELL = 4  # of a square patch; fewer would be noise
ALL_SKY_CELLS = (180, 90)  # of equal areas, 2 deg wide
LARGEST_PATCH_DEG = 60.0  # beyond it the whole sky is shown
SMALLEST_PATCH_DEG = 0.02


@dataclass(frozen=True)
class SkyMap:
    """Density of galaxies in cells of right ascension and declination."""

    ra_edges_deg: Floats
    """Ascending; beyond 360 where the patch crosses 0."""

    dec_edges_deg: Floats
    """Ascending."""

    per_deg2: Floats
    """Shape (dec cells, ra cells); NaN where there is no galaxy."""

    is_all_sky: bool
    num_positions: int
    num_without: int
    """Rows without a position on the sky."""


@dataclass(frozen=True)
class _Window:
    """The part of the sky where there are galaxies (deg)."""

    ra_start: float
    ra_width: float
    dec_start: float
    dec_stop: float
    num_positions: int
    num_rows: int


def read_sky_map(table: Table) -> SkyMap | None:
    """Count the galaxies of a table on the sky.

    Args:
        table: its positions are the columns ``ra`` and ``dec``, or of usual other
            names.

    Returns:
        None where there are no positions in degrees.
    """
    columns = _position_columns(table)
    window = _find_window(_positions(table, columns)) if columns else None
    if columns is None or window is None:
        return None
    is_all_sky = (
        max(window.ra_width, window.dec_stop - window.dec_start) > LARGEST_PATCH_DEG
    )
    ra_edges, dec_edges = _all_sky_edges() if is_all_sky else _patch_edges(window)
    counts = np.zeros((len(dec_edges) - 1, len(ra_edges) - 1))
    for ra, dec, _ in _positions(table, columns):
        ra = ra_edges[0] + (ra - ra_edges[0]) % 360
        counts += np.histogram2d(dec, ra, bins=(dec_edges, ra_edges))[0]
    sines = np.diff(np.sin(np.radians(dec_edges)))
    areas = np.degrees(sines)[:, None] * np.diff(ra_edges)[None]
    return SkyMap(
        ra_edges,
        dec_edges,
        np.where(counts > 0, counts / areas, np.nan),
        is_all_sky,
        window.num_positions,
        window.num_rows - window.num_positions,
    )


def _position_columns(table: Table) -> list[str] | None:
    names = table.schema.names
    try:
        columns = [find_column(name, names, table.uri, (name,)) for name in RA_DEC]
    except CatalogError:  # there is none, or more than one
        return None
    fields = [table.schema.field(name) for name in columns]
    units = [(field.metadata or {}).get(b"unit", b"deg").decode() for field in fields]
    are_floats = all(pa.types.is_floating(field.type) for field in fields)
    in_degrees = all(unit.lower() in DEGREES for unit in units)
    return columns if are_floats and in_degrees else None


def _positions(
    table: Table, columns: list[str]
) -> Iterator[tuple[Floats, Floats, int]]:
    """Read right ascensions (0 to 360), declinations, and how many rows there were."""
    for batch in table.read_batches(columns):
        ra, dec = (
            batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
            for name in columns
        )
        is_position = np.isfinite(ra) & (np.abs(dec) <= 90)
        yield ra[is_position] % 360, dec[is_position], len(ra)


def _find_window(batches: Iterator[tuple[Floats, Floats, int]]) -> _Window | None:
    first, last = np.full(360, np.inf), np.full(360, -np.inf)  # ra of each degree
    dec_start, dec_stop, num_positions, num_rows = np.inf, -np.inf, 0, 0
    for ra, dec, num in batches:
        degrees = np.minimum(ra.astype(np.int64), 359)
        np.minimum.at(first, degrees, ra)
        np.maximum.at(last, degrees, ra)
        dec_start = min(dec_start, dec.min(initial=np.inf))
        dec_stop = max(dec_stop, dec.max(initial=-np.inf))
        num_positions += len(ra)
        num_rows += num
    if not num_positions:
        return None
    used = np.flatnonzero(np.isfinite(first))
    gaps = np.diff(used, append=used[0] + 360)
    widest = int(gaps.argmax())
    start = float(first[used[(widest + 1) % len(used)]])
    width = (float(last[used[widest]]) - start) % 360
    return _Window(
        start, width, float(dec_start), float(dec_stop), num_positions, num_rows
    )


def _all_sky_edges() -> tuple[Floats, Floats]:
    num_ra, num_dec = ALL_SKY_CELLS
    sines = np.linspace(-1, 1, num_dec + 1)
    return np.linspace(0, 360, num_ra + 1), np.degrees(np.arcsin(sines))


def _patch_edges(window: _Window) -> tuple[Floats, Floats]:
    """Lay cells over a patch that are about square on the sky."""
    height = max(window.dec_stop - window.dec_start, SMALLEST_PATCH_DEG)
    farthest = 90 - height / 2  # that the middle may lie from the equator
    dec_middle = float(
        np.clip((window.dec_start + window.dec_stop) / 2, -farthest, farthest)
    )
    shrink = max(float(np.cos(np.radians(dec_middle))), 0.01)  # of circles of dec
    width = max(window.ra_width, SMALLEST_PATCH_DEG / shrink)
    num_cells = np.clip(
        (window.num_positions / GALAXIES_PER_CELL) ** 0.5, *CELLS_ACROSS
    )
    cell = max(width * shrink, height) / float(num_cells)
    ra_middle = window.ra_start + window.ra_width / 2
    ra_edges = _edges(ra_middle, width, cell / shrink)
    dec_edges = _edges(dec_middle, height, cell)
    return ra_edges, np.clip(dec_edges, -90, 90)


def _edges(middle: float, width: float, cell: float) -> Floats:
    """Lay cells from end to end, with some room so that rounding loses nobody."""
    num_cells = max(1, round(width / cell))
    half = 0.5 * width * (1 + 1e-9) + 1e-9
    return np.linspace(middle - half, middle + half, num_cells + 1)

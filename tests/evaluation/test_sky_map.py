"""Positions become densities on the part of the sky where they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_models.evaluation.sky_map import SkyMap, read_sky_map
from galaxy_models.tables.formats import open_parquet


def write(folder: Path, metadata: Any = None, **columns: Any) -> Any:
    fields = [
        pa.field(name, pa.array(v).type, metadata=metadata)
        for name, v in columns.items()
    ]
    path = folder / "a.parquet"
    pq.write_table(pa.table(columns, schema=pa.schema(fields)), path)
    return open_parquet(str(path))


def sky_of(folder: Path, ra: Any, dec: Any) -> SkyMap:
    sky = read_sky_map(write(folder, ra=ra, dec=dec))
    assert sky is not None
    return sky


def num_counted(sky: SkyMap) -> float:
    heights = np.degrees(np.diff(np.sin(np.radians(sky.dec_edges_deg))))
    areas = heights[:, None] * np.diff(sky.ra_edges_deg)
    return float(np.nansum(sky.per_deg2 * areas))


def patch(ra: tuple[float, float], dec: tuple[float, float], num: int = 5000) -> Any:
    rng = np.random.default_rng(0)
    return rng.uniform(*ra, num), rng.uniform(*dec, num)


def test_a_patch_is_drawn_from_end_to_end(tmp_path: Path) -> None:
    sky = sky_of(tmp_path, *patch((150, 165), (20, 35)))

    assert not sky.is_all_sky
    assert sky.ra_edges_deg[[0, -1]] == pytest.approx([150, 165], abs=0.02)
    assert sky.dec_edges_deg[[0, -1]] == pytest.approx([20, 35], abs=0.02)
    assert num_counted(sky) == pytest.approx(5000)


def test_a_patch_across_0_hours_stays_in_one_piece(tmp_path: Path) -> None:
    ra, dec = patch((-5, 8), (-1, 1))
    sky = sky_of(tmp_path, ra % 360, dec)

    assert sky.ra_edges_deg[[0, -1]] == pytest.approx([355, 368], abs=0.02)
    assert num_counted(sky) == pytest.approx(5000)


def test_cells_of_a_patch_are_about_square_on_the_sky(tmp_path: Path) -> None:
    sky = sky_of(tmp_path, *patch((100, 140), (59, 61)))

    width = np.diff(sky.ra_edges_deg)[0] * np.cos(np.radians(60))
    assert width == pytest.approx(np.diff(sky.dec_edges_deg)[0], rel=0.15)


def test_a_survey_of_much_of_the_sky_is_drawn_on_all_of_it(tmp_path: Path) -> None:
    sky = sky_of(tmp_path, *patch((0, 360), (-90, 90)))

    assert sky.is_all_sky
    assert sky.ra_edges_deg[[0, -1]].tolist() == [0, 360]
    assert sky.dec_edges_deg[[0, -1]] == pytest.approx([-90, 90])
    assert num_counted(sky) == pytest.approx(5000)


def test_a_cell_has_its_galaxies_per_square_degree(tmp_path: Path) -> None:
    ra = [10.0, 10.0, 10.0, 11.0]
    sky = sky_of(tmp_path, ra, [0.0, 0.0, 0.0, 0.0])

    counted = sky.per_deg2[~np.isnan(sky.per_deg2)]
    assert sorted(counted / counted.min()) == pytest.approx([1, 3])


@pytest.mark.parametrize("dec", [-90.0, 0.0, 90.0])
def test_one_galaxy_is_enough(tmp_path: Path, dec: float) -> None:
    sky = sky_of(tmp_path, [10.0], [dec])

    assert num_counted(sky) == pytest.approx(1)


def test_rows_without_a_position_are_counted_apart(tmp_path: Path) -> None:
    ra, dec = [10.0, None, np.nan, 10.1, 10.2], [0.0, 0.0, 0.0, 95.0, None]
    sky = sky_of(tmp_path, ra, dec)

    assert (sky.num_positions, sky.num_without) == (1, 4)


def test_the_usual_other_names_of_positions_are_found(tmp_path: Path) -> None:
    assert read_sky_map(write(tmp_path, RAJ2000=[1.0], DEJ2000=[2.0])) is not None


@pytest.mark.parametrize(
    ("columns", "metadata"),
    [
        ({"object_id": [1]}, None),
        ({"ra": [1.0]}, None),
        ({"ra": ["01:02:03"], "dec": ["-04:05:06"]}, None),
        ({"ra": [0.1], "dec": [0.2]}, {"unit": "rad"}),
        ({"ra": [None, np.nan], "dec": [1.0, 2.0]}, None),
    ],
)
def test_without_positions_in_degrees_there_is_no_map(
    tmp_path: Path, columns: Any, metadata: Any
) -> None:
    assert read_sky_map(write(tmp_path, metadata, **columns)) is None

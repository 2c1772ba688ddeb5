"""A survey scored from every kind of source: the same rows, ids and predictions."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import from_table
from astropy.table import Table as AstropyTable

from galaxy_models.config import ScoreConfig
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey, write_survey

pytestmark = pytest.mark.slow

NUM_CATALOG = 24
Writer = Callable[[pd.DataFrame, Path, Path], str]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return write_survey(
        tmp_path_factory.mktemp("survey"),
        NUM_CATALOG,
        image_size=48,
        seed=11,
        labelled=False,
        catalog_name="catalog.parquet",
    )


@pytest.fixture(scope="module")
def expected(
    survey: Survey,
    model_folder: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> pd.DataFrame:
    """What scoring the survey's plain Parquet file gives."""
    output = str(tmp_path_factory.mktemp("predictions") / "out")
    return scored(str(survey.catalog), model_folder, output)


def scored(
    catalog: str, model: str, output: str, image_root: str | None = None,
    keep: tuple[str, ...] = (),
) -> pd.DataFrame:  # fmt: skip
    score(
        ScoreConfig(
            catalog=catalog,
            model=model,
            output=output,
            image_root=image_root,
            keep=keep,
            engine="litert-float",
            plan="local",
            num_workers=1,
        )
    )
    table = pd.read_parquet(output)
    table["object_id"] = table["object_id"].astype(np.int64)
    return table.set_index("object_id").sort_index()


def with_units(table: pd.DataFrame) -> pa.Table:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    fields = [
        field.with_metadata({"unit": "deg"}) if field.name in ("ra", "dec") else field
        for field in arrow.schema
    ]
    return arrow.cast(pa.schema(fields))


def write_hive(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 3)):
        part = folder / f"Norder={number}" / "Dir=0" / f"Npix={number}.parquet"
        part.parent.mkdir(parents=True)
        pq.write_table(with_units(table.iloc[rows]), part)
    (folder / "_metadata").write_bytes(b"PAR1")
    return str(folder)


def write_pattern(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 3)):
        pq.write_table(with_units(table.iloc[rows]), folder / f"part-{number}.parquet")
    return f"{folder}/part-*.parquet"


def write_csv(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    table.to_csv(folder / "galaxies.csv.gz", index=False)
    return f"{folder}/galaxies.csv.gz"


def astropy_table(table: pd.DataFrame) -> AstropyTable:
    columns = AstropyTable.from_pandas(table)
    columns["ra"].unit = columns["dec"].unit = "deg"
    columns["image"] = np.array(table["image"].tolist(), "U")
    return columns


def write_fits(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    astropy_table(table).write(folder / "galaxies.fits")
    return f"{folder}/galaxies.fits"


def write_votable(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    from_table(astropy_table(table)).to_xml(f"{folder}/galaxies.vot")
    return f"{folder}/galaxies.vot"


def write_bytes(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    images = [(sky / path).read_bytes() for path in table["image"]]
    rows = with_units(table.drop(columns="image"))
    rows = rows.append_column("image_bytes", pa.array(images, pa.binary()))
    pq.write_table(rows, folder / "galaxies.parquet")
    return f"{folder}/galaxies.parquet"


def write_structs(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    images = [
        {"bytes": (sky / path).read_bytes() if number % 2 else None, "path": path}
        for number, path in enumerate(table["image"])
    ]
    rows = with_units(table.drop(columns="image"))
    type_ = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = rows.append_column("image", pa.array(images, type_))
    pq.write_table(rows, folder / "galaxies.parquet")
    return f"{folder}/galaxies.parquet"


def write_shards(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    for number, rows in enumerate(np.array_split(np.arange(len(table)), 2)):
        with tarfile.open(folder / f"shard-{number:03d}.tar", "w") as archive:
            for row in table.iloc[rows].itertuples():
                place = {"ra": row.ra, "dec": row.dec}
                for suffix, data in (
                    ("jpg", (sky / str(row.image)).read_bytes()),
                    ("json", json.dumps(place).encode()),
                ):
                    member = tarfile.TarInfo(f"{row.object_id}.{suffix}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return f"{folder}/shard-{{000..001}}.tar"


def images_alone(table: pd.DataFrame, folder: Path, sky: Path) -> str:
    return str(sky / "images")


@pytest.mark.parametrize(
    ("write", "keep", "unit"),
    [
        (write_hive, ("ra", "dec", "Norder"), "deg"),
        (write_hive, ("ra", "dec", "Npix"), "deg"),
        (write_pattern, ("ra", "dec"), "deg"),
        (write_csv, ("ra", "dec"), "deg"),
        (write_fits, ("ra", "dec"), "deg"),
        (write_votable, ("ra", "dec"), "deg"),
        (write_bytes, ("ra", "dec"), "deg"),
        (write_structs, ("ra", "dec"), "deg"),
        (write_shards, ("ra", "dec"), "deg"),
        (images_alone, (), None),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_every_source_gives_the_same_predictions_for_the_same_ids(
    write: Writer,
    keep: tuple[str, ...],
    unit: str | None,
    survey: Survey,
    expected: pd.DataFrame,
    model_folder: str,
    tmp_path: Path,
) -> None:
    sky = survey.catalog.parent
    table = pd.read_parquet(survey.catalog)
    (tmp_path / "in").mkdir()
    catalog = write(table, tmp_path / "in", sky)
    # Images are named by the tables' paths, or lie below the folder that is scored.
    root = None if write is images_alone else str(sky)

    result = scored(catalog, model_folder, str(tmp_path / "out"), root, keep)

    pd.testing.assert_frame_equal(result[expected.columns], expected)
    known = [name for name in keep if name in table]
    pd.testing.assert_frame_equal(
        result[known], table.set_index("object_id").sort_index()[known]
    )
    schema = pq.read_schema(next((tmp_path / "out").glob("*.parquet")))
    for name in known:
        metadata = schema.field(name).metadata or {}
        assert metadata.get(b"unit") == (unit.encode() if unit else None)
    if len(known) < len(keep):
        assert sorted(set(result[keep[-1]])) == [0, 1, 2]
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == (
        set()
    )


def test_a_kept_column_found_by_its_alias_keeps_its_own_name(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    table = pd.read_parquet(survey.catalog).rename(columns={"ra": "RAJ2000"})
    table.to_parquet(tmp_path / "a.parquet")

    result = scored(
        f"{tmp_path}/a.parquet", model_folder, str(tmp_path / "out"),
        str(survey.catalog.parent), ("ra", "dec"),
    )  # fmt: skip

    assert list(result.columns[:2]) == ["RAJ2000", "dec"]

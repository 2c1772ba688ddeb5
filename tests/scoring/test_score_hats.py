"""``--hats``: one command leaves predictions and the same rows as a HATS catalog."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from galaxy_models.cli.score import JOB
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, InputError, OutputError, StorageError
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.hats import catalog_files

NUM_GALAXIES = 12
Configure = Callable[..., ScoreConfig]


@pytest.fixture
def configure(labelled: Survey, tmp_path: Path) -> Configure:
    """Asks for twelve galaxies, whose positions have a survey's names."""
    table = pd.read_csv(labelled.catalog).head(NUM_GALAXIES)
    table["image"] = [str(labelled.catalog.parent / path) for path in table["image"]]
    table = table.rename(columns={"ra": "RAJ2000", "dec": "DEJ2000"})

    def config_of(changed: dict[str, Any] | None = None, **flags: Any) -> ScoreConfig:
        table.assign(**changed or {}).to_parquet(tmp_path / "now.parquet", index=False)
        settings: dict[str, Any] = {
            "catalog": str(tmp_path / "now.parquet"),
            "model": "galaxy-zoo",
            "output": str(tmp_path / "out"),
            "hats": str(tmp_path / "out_hats"),
            "plan": "local",
        }
        return ScoreConfig(**(settings | flags))

    return config_of


def rows_of(hats: str) -> pd.DataFrame:
    paths = Path(hats, "dataset").rglob("Npix=*.parquet")
    tables = [pq.read_table(path, partitioning=None).to_pandas() for path in paths]
    rows: pd.DataFrame = pd.concat(tables).drop(columns="_healpix_29")
    return rows.sort_values("object_id").reset_index(drop=True)


def times(folder: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def test_a_scoring_leaves_its_rows_as_a_hats_catalog_too(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure()
    names = ("catalog", "model", "output", "hats", "plan")
    flags = [f"--{name}={getattr(config, name)}" for name in names]

    assert JOB.main(flags) == 0

    assert json.loads(capsys.readouterr().out)["hats"] == config.hats
    predictions = pd.read_parquet(config.output)
    assert predictions.columns[1:3].tolist() == ["RAJ2000", "DEJ2000"]
    assert config.hats is not None
    pd.testing.assert_frame_equal(
        rows_of(config.hats),
        predictions.sort_values("object_id").reset_index(drop=True),
    )
    stated = open_table(config.hats).stated_columns
    assert (stated["ra"], stated["dec"]) == ("RAJ2000", "DEJ2000")

    before = times(config.output) | times(config.hats)
    score(config)
    assert times(config.output) | times(config.hats) == before


def test_a_scoring_that_kept_positions_gains_its_hats_catalog_later(
    configure: Configure,
) -> None:
    score(configure(hats=None, keep=("DEJ2000", "RAJ2000")))
    config = configure(keep=("DEJ2000", "RAJ2000"))
    before = times(config.output)

    score(config)

    assert times(config.output) == before
    assert config.hats is not None
    assert len(rows_of(config.hats)) == NUM_GALAXIES


def test_rows_that_are_carried_over_are_in_the_hats_catalog_too(
    configure: Configure, tmp_path: Path
) -> None:
    previous = str(tmp_path / "previous")
    score(configure(hats=None, keep=("RAJ2000", "DEJ2000"), output=previous))
    config = configure(previous=previous)

    record = score(config)

    assert (record.num_rows_carried_over, record.num_rows_this_run) == (NUM_GALAXIES, 0)
    assert config.hats is not None
    assert len(rows_of(config.hats)) == NUM_GALAXIES


def test_a_job_that_dies_at_its_hats_catalog_resumes_with_that(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure()
    assert config.hats is not None

    def full(*_: Any) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(catalog_files, "write_properties", full)
        with pytest.raises(StorageError):
            score(config)
    before = times(config.output)

    score(config)

    assert times(config.output) == before
    assert open_table(config.hats).stated_rows == NUM_GALAXIES


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], type[InputError], str]] = {
    "no positions": (
        {"DEJ2000": "north"},
        {},
        CatalogError,
        "--hats needs positions: column 'DEJ2000' of .* holds .*string",
    ),
    "two positions": (
        {"ra_deg": 1.0},
        {},
        CatalogError,
        "--hats needs positions: .* has no columns ra and dec, or several",
    ),
    "a galaxy without a position": (
        {"RAJ2000": [1.0] * (NUM_GALAXIES - 1) + [None]},
        {},
        CatalogError,
        r"has no position on the sky \(RAJ2000 nan",
    ),
    "one folder": ({}, {"hats": "out"}, OutputError, "are one folder, or one lies in"),
    "a folder in the other": ({}, {"hats": "out/hats"}, OutputError, "lies in the oth"),
    "the other in a folder": ({}, {"hats": "."}, OutputError, "one lies in the other"),
    "a folder in use": (
        {},
        {"hats": "used"},
        OutputError,
        "--hats .*used holds something else",
    ),
    "a file": ({}, {"hats": "now.parquet"}, OutputError, "--hats .* is a file; name"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_become_a_hats_catalog_is_refused_before_anything_is_predicted(
    case: str, configure: Configure, tmp_path: Path
) -> None:
    columns, flags, kind, message = REFUSALS[case]
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").touch()
    config = configure(columns, **{k: str(tmp_path / v) for k, v in flags.items()})

    with pytest.raises(kind, match=message):
        score(config)

    assert not list(tmp_path.glob("out/*.parquet"))
    assert not list(tmp_path.glob("out_hats/*"))

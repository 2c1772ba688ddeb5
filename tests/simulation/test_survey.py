"""The files of a made-up survey."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from galaxy_models.errors import ConfigError
from galaxy_models.simulation import CLASSES, Survey, write_survey
from galaxy_models.simulation.survey import CLASS_WEIGHTS, _draw_positions


def read_all_bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def can_decode(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    folder = tmp_path_factory.mktemp("survey")
    return write_survey(folder, 50, image_size=64, seed=3, broken_fraction=0.2)


@pytest.fixture(scope="module")
def catalog(survey: Survey) -> pd.DataFrame:
    return pd.read_csv(survey.catalog)


def test_the_same_seed_gives_the_same_bytes(survey: Survey, tmp_path: Path) -> None:
    again = write_survey(tmp_path, 50, image_size=64, seed=3, broken_fraction=0.2)

    assert again.broken_object_ids == survey.broken_object_ids
    assert read_all_bytes(tmp_path) == read_all_bytes(survey.catalog.parent)


def test_two_processes_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    for name, num_processes in (("one", 1), ("two", 2)):
        write_survey(
            tmp_path / name,
            70,
            image_size=32,
            broken_fraction=0.1,
            num_processes=num_processes,
        )

    assert read_all_bytes(tmp_path / "one") == read_all_bytes(tmp_path / "two")


def test_another_seed_gives_other_galaxies(survey: Survey, tmp_path: Path) -> None:
    write_survey(tmp_path, 50, image_size=64, seed=4)

    ours, others = (read_all_bytes(p) for p in (survey.catalog.parent, tmp_path))
    assert not set(ours.values()) & set(others.values())


def test_the_catalog_has_the_contract_s_columns(catalog: pd.DataFrame) -> None:
    assert list(catalog.columns) == ["object_id", "image", "ra", "dec", "label"]
    assert catalog["object_id"].dtype == np.int64
    assert catalog["ra"].dtype == catalog["dec"].dtype == np.float64
    assert set(catalog["label"]) == set(CLASSES)


def test_object_ids_are_unique_and_have_18_digits(catalog: pd.DataFrame) -> None:
    assert catalog["object_id"].is_unique
    assert set(catalog["object_id"].astype(str).str.len()) == {18}


def test_images_are_named_after_their_object(catalog: pd.DataFrame) -> None:
    names = [f"images/{object_id}.jpg" for object_id in catalog["object_id"]]

    assert catalog["image"].tolist() == names


def test_exactly_the_reported_images_are_broken(
    survey: Survey, catalog: pd.DataFrame
) -> None:
    decodes = [can_decode(survey.catalog.parent / name) for name in catalog["image"]]

    unreadable = catalog.loc[np.logical_not(decodes), "object_id"]
    assert tuple(unreadable) == survey.broken_object_ids
    assert len(survey.broken_object_ids) == 10


def test_images_break_in_four_ways_in_turn(survey: Survey) -> None:
    truncated, empty, page, lost = (
        survey.catalog.parent / "images" / f"{object_id}.jpg"
        for object_id in survey.broken_object_ids[:4]
    )

    assert truncated.read_bytes().startswith(b"\xff\xd8")
    assert empty.read_bytes() == b""
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
    assert not lost.exists()


def test_an_image_left_by_an_earlier_survey_does_not_heal_a_lost_one(
    tmp_path: Path,
) -> None:
    whole = write_survey(tmp_path, 20, image_size=32)
    broken = write_survey(tmp_path, 20, image_size=32, broken_fraction=0.2)

    assert whole.broken_object_ids == ()
    assert len(list((tmp_path / "images").iterdir())) == 19
    assert len(broken.broken_object_ids) == 4


def test_positions_lie_on_the_patch_and_cover_equal_areas() -> None:
    ra_deg, dec_deg = _draw_positions(20_000, np.random.default_rng(0))

    assert 150 <= ra_deg.min() < ra_deg.max() <= 165
    assert 20 <= dec_deg.min() < dec_deg.max() <= 35
    middle_of_area = np.degrees(np.arcsin(np.sin(np.radians([20, 35])).mean()))
    assert np.median(dec_deg) == pytest.approx(middle_of_area, abs=0.15)


def test_a_parquet_catalog_has_typed_columns(tmp_path: Path) -> None:
    survey = write_survey(tmp_path, 5, image_size=32, catalog_name="sky.parquet")

    assert survey.catalog == tmp_path / "sky.parquet"
    schema = pq.read_schema(survey.catalog)
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "object_id": pa.int64(),
        "image": pa.string(),
        "ra": pa.float64(),
        "dec": pa.float64(),
        "label": pa.string(),
    }


def test_an_unlabelled_survey_has_the_same_images_but_no_label(
    tmp_path: Path,
) -> None:
    for labelled in (True, False):
        write_survey(tmp_path / str(labelled), 5, image_size=32, labelled=labelled)

    with_labels, without = (read_all_bytes(tmp_path / n) for n in ("True", "False"))
    assert b"label" in with_labels.pop("catalog.csv")
    assert b"label" not in without.pop("catalog.csv")
    assert with_labels == without


def test_twenty_galaxies_hold_every_class(tmp_path: Path) -> None:
    survey = write_survey(tmp_path, 20, image_size=32)

    assert set(pd.read_csv(survey.catalog)["label"]) == set(CLASSES)


def test_class_weights_cover_the_classes_and_sum_to_one() -> None:
    assert set(CLASS_WEIGHTS) == set(CLASSES)
    assert sum(CLASS_WEIGHTS.values()) == pytest.approx(1)


def test_object_ids_can_start_elsewhere(tmp_path: Path) -> None:
    start = 600_000_000_000_000_000
    survey = write_survey(tmp_path, 3, image_size=32, object_id_start=start)

    assert pd.read_csv(survey.catalog)["object_id"].tolist() == [
        start,
        start + 1,
        start + 2,
    ]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_galaxies": 0}, "num_galaxies is 0; choose at least 1"),
        ({"seed": -1}, "seed is -1; choose 0 or"),
        ({"broken_fraction": 1.0}, "broken_fraction is 1.0; choose from 0"),
        ({"broken_fraction": -0.1}, "broken_fraction is -0.1; choose from 0"),
        ({"image_size": 31}, "image_size is 31 px; choose at least 32"),
        ({"num_processes": 0}, "num_processes is 0; choose at least 1"),
        ({"object_id_start": 1}, "object_id_start is 1, which does not"),
        ({"object_id_start": 10**18 - 4}, "choose from 1.* to 999999999999999995"),
        ({"catalog_name": "sky.fits"}, "'sky.fits'; choose a file name"),
        ({"catalog_name": "deep/sky.csv"}, "'deep/sky.csv'; choose a file name"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_before_anything_is_written(
    keywords: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments = {"num_galaxies": 5, **keywords}

    with pytest.raises(ConfigError, match=message):
        write_survey(tmp_path / "survey", **arguments)

    assert not (tmp_path / "survey").exists()

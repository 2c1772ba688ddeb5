"""A notebook's keywords become what the command line's parser would make of flags."""

from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import pytest

import galaxy_models as gm
from galaxy_models.cli.keywords import configured
from galaxy_models.config import (
    DetectConfig,
    EvaluateConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.errors import CatalogError, ConfigError, InputError
from galaxy_models.simulation import Survey


def scoring(**flags: Any) -> ScoreConfig:
    """A scoring that is valid as far as the given flags are."""
    return configured(
        ScoreConfig, {"catalog": "c", "model": "m", "output": "o"} | flags
    )


@pytest.mark.parametrize(
    ("config", "known"),
    [
        (DetectConfig, {"images", "output", "overlay", "wcs"}),
        (EvaluateConfig, {"predictions", "output", "labels", "image_root"}),
        (ScoreConfig, {"catalog", "model", "output", "hats", "previous"}),
        (TrainConfig, {"catalog", "output", "start_from", "questions"}),
    ],
)
def test_every_flag_that_takes_a_name_takes_a_path(
    config: type, known: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hints = get_type_hints(config)
    names = {name for name in hints if hints[name] in (str, str | None)}
    assert known <= names
    monkeypatch.setattr(config, "__post_init__", lambda _: None)  # no such command
    made: object = configured(config, dict.fromkeys(names, Path("/sky/a.csv")))
    assert {getattr(made, name) for name in names} == {"/sky/a.csv"}


def test_paths_within_lists_become_texts() -> None:
    for teachers in ([Path("/a"), "/b"], (Path("/a"), "/b")):
        flags = {"catalog": "c", "output": "o", "teacher": teachers}
        assert configured(TrainConfig, flags).teacher == ("/a", "/b")
    assert scoring(fits_bands=None, previous=None, image_root=None).previous is None


def test_a_text_alone_is_a_list_of_one() -> None:
    assert scoring(keep="label").keep == ("label",)
    assert scoring(fits_bands="R").fits_bands == ("R",)
    assert scoring(previous="p", retry="missing").retry == ("missing",)
    flags = {"catalog": "c", "output": "o", "teacher": Path("/a")}
    assert configured(TrainConfig, flags).teacher == ("/a",)


def test_lists_are_taken_for_tuples() -> None:
    assert scoring(keep=["ra", "dec"]) == scoring(keep=("ra", "dec"))
    assert scoring(previous="p", retry=[]).retry == ()


@pytest.mark.parametrize("value", [{"ra"}, {"ra": 1}, 5, None, True])
def test_what_is_no_list_is_refused(value: Any) -> None:
    kind = type(value).__name__
    with pytest.raises(ConfigError, match=f"^--keep of type {kind}: give a list of"):
        scoring(keep=value)


@pytest.mark.parametrize("value", ["no", "", 0, 1, None])
def test_a_switch_is_true_or_false_and_nothing_else(value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^--overwrite {value}: give True or False"):
        scoring(overwrite=value)
    assert scoring(overwrite=False, posterior=True).posterior is True


def test_a_path_that_was_a_uri_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--catalog s3:/sky/c.csv: paths drop a"):
        scoring(catalog=Path("s3://sky/c.csv"))
    assert scoring(catalog="s3://sky/c.csv").catalog == "s3://sky/c.csv"


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("catalog", pd.DataFrame({"a": [1]}), "--catalog of type DataFrame: write it "),
        ("model", 5, "--model of type int: give a str or a path"),
        ("output", None, "--output of type NoneType: give a str or a path"),
        ("keep", ["ra", 5], "--keep of type int: give a str or a path"),
    ],
)
def test_what_is_no_name_is_refused_in_a_line(
    flag: str, value: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}") as refusal:
        scoring(**{flag: value})
    assert "\n" not in str(refusal.value)


def test_a_table_in_memory_is_refused_by_name() -> None:
    remedy = "DataFrame: write it to a Parquet file and name that.$"
    for call in (gm.score, gm.fit, gm.evaluate):
        with pytest.raises(ConfigError, match=f"^--catalog of type {remedy}"):
            call(catalog=pd.DataFrame())


def test_scoring_and_its_report_take_paths(labelled: Survey, tmp_path: Path) -> None:
    pd.read_csv(labelled.catalog).head(3).to_csv(tmp_path / "three.csv", index=False)
    record = gm.score(
        catalog=tmp_path / "three.csv",
        image_root=labelled.catalog.parent,
        model=Path("galaxy-zoo"),
        output=tmp_path / "scored",
    )
    assert record.num_rows == 3
    report = gm.evaluate(predictions=tmp_path / "scored", output=tmp_path / "report")
    assert Path(report.page).parent == tmp_path / "report"


def test_training_and_detection_take_paths(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=str(tmp_path / "none.csv")):
        gm.fit(catalog=tmp_path / "none.csv", output=tmp_path / "model")
    with pytest.raises(InputError, match=str(tmp_path / "frames")):
        gm.detect(images=tmp_path / "frames", output=tmp_path / "found")


def test_a_folder_of_a_model_may_be_a_path(tmp_path: Path) -> None:
    assert len(gm.predict([], model=Path("galaxy-zoo"))) == 0
    with pytest.raises(InputError, match=str(tmp_path)):
        gm.predict([], model=tmp_path)

"""A whole scoring run over several views of each galaxy."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow
TEMPERATURE = 2.5


@pytest.fixture(scope="module")
def softened(model_folder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The trained model under another temperature."""
    folder = tmp_path_factory.mktemp("softened") / "model"
    shutil.copytree(model_folder, folder)
    rewrite_card(folder, temperature=TEMPERATURE)
    return str(folder)


def rewrite_card(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def config_for(catalog: Path, model: str, output: Path, **settings: Any) -> ScoreConfig:
    return ScoreConfig(
        catalog=str(catalog), model=model, output=str(output), **settings
    )


@pytest.mark.parametrize(
    ("engine", "plan", "tolerance"),
    [
        ("litert-int8", "local", 0.1),
        ("litert-float", "fused", 1e-4),
        ("litert-float", "two-stage", 1e-4),
        ("keras", "two-stage", 1e-4),
    ],
)
def test_every_engine_averages_eight_calibrated_views(
    without_actors: None,
    engine: str,
    plan: str,
    tolerance: float,
    labelled: Survey,
    softened: str,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    settings = {"engine": engine, "plan": plan, "tta": "dihedral", "batch_size": 16}
    score(config_for(labelled.catalog, softened, output, **settings))

    table = pd.read_parquet(output).set_index("object_id")
    assert table["probability_spread"].isna().sum() == 1  # the broken image
    good = table[table["status"] == "ok"]
    paths = pd.read_csv(labelled.catalog).set_index("object_id")["image"]
    images, _ = read_images(
        paths.loc[good.index].tolist(), str(labelled.catalog.parent), DecodeRule(32)
    )
    network = load_model(softened)
    turned = [
        np.ascontiguousarray(np.rot90(side, turns, axes=(1, 2)))
        for side in (images, images[:, ::-1])
        for turns in range(4)
    ]
    network = load_model(softened)
    views = np.stack(
        [
            with_temperature(network.predict_on_batch(view), TEMPERATURE)
            for view in turned
        ]
    )
    columns = [f"probability_{name}" for name in read_card(softened).classes]
    np.testing.assert_allclose(good[columns], views.mean(axis=0), atol=tolerance)
    best = views.mean(axis=0).argmax(axis=1)
    spread = views.std(axis=0)[np.arange(len(best)), best]
    np.testing.assert_allclose(good["probability_spread"], spread, atol=tolerance)
    record = json.loads((output / "_run.json").read_text())
    assert (record["tta"], record["temperature"]) == ("dihedral", TEMPERATURE)


@pytest.fixture
def with_spread(labelled: Survey, tmp_path: Path) -> Path:
    """The catalog of a survey that was scored before."""
    table = pd.read_csv(labelled.catalog)[:20]
    folder = labelled.catalog.parent
    table["image"] = [str(folder / path) for path in table["image"]]
    table["probability_spread"] = np.linspace(0, 0.5, len(table))
    table.to_parquet(tmp_path / "catalog.parquet", index=False)
    return tmp_path / "catalog.parquet"


def test_a_kept_column_of_that_name_is_refused_only_where_there_is_a_spread(
    with_spread: Path, model_folder: str, tmp_path: Path
) -> None:
    keep = {"keep": ("probability_spread",)}
    config = config_for(with_spread, model_folder, tmp_path / "out", **keep)

    with pytest.raises(CatalogError, match="--keep probability_spread.*of that name"):
        score(dataclasses.replace(config, tta="flips"))

    score(config)
    (part,) = (tmp_path / "out").glob("*.parquet")
    kept = pq.read_table(part)["probability_spread"].to_pylist()
    assert kept == pytest.approx(np.linspace(0, 0.5, 20))


def test_a_class_named_spread_is_refused_only_where_there_is_a_spread(
    labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    classes = read_card(model_folder).classes
    rewrite_card(tmp_path / "model", classes=[*classes[:-1], "spread"])
    model, output = str(tmp_path / "model"), tmp_path / "out"
    config = config_for(labelled.catalog, model, output)

    with pytest.raises(ConfigError, match="--tta flips: .*probability_spread belongs"):
        score(dataclasses.replace(config, tta="flips"))

    assert not output.exists()
    score(config)
    assert pd.read_parquet(output)["probability_spread"].notna().sum() == 119


@pytest.mark.parametrize("tta", ["flips", "dihedral"])
def test_a_model_that_never_saw_a_mirror_image_is_not_shown_one(
    tta: str, labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    rewrite_card(tmp_path / "model", horizontal_flip=False, vertical_flip=False)
    model, output = str(tmp_path / "model"), tmp_path / "out"

    with pytest.raises(ConfigError, match=f"--tta {tta}: .*without mirror images"):
        score(config_for(labelled.catalog, model, output, tta=tta))

    assert not output.exists()

"""The models that come with the package."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from contest import sides_in_training

from galaxy_models.config import ScoreConfig, TrainConfig
from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import CARD_NAME, INT8_NAME
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.models.heads import HEAD_NAME, HIDDEN_NAME, ClassesHead
from galaxy_models.models.networks import build_network
from galaxy_models.models.shipped import (
    FOLDER,
    model_folder_uri,
    model_reference,
    shipped_names,
)
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from galaxy_models.training.fine_tuning import find_starting_point

OF_GALAXIES = ("galaxy-zoo", "galaxy-zoo-small")
CLASSES = ("cigar", "edge_on", "in_between", "round", "spiral")
MAX_BYTES = {
    "galaxy-zoo": 12_000_000,
    "galaxy-zoo-detect": 6_000_000,
    "galaxy-zoo-small": 1_500_000,
}


def test_the_shipped_models_have_these_names() -> None:
    assert shipped_names() == tuple(sorted(MAX_BYTES))


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_model_is_whole_and_small(name: str) -> None:
    card = read_card(name)
    assert INT8_NAME in card.litert
    files = list((FOLDER / name).iterdir())
    assert sum(path.stat().st_size for path in files) < MAX_BYTES[name]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_model_says_what_it_is_and_nothing_of_its_machine(name: str) -> None:
    assert (FOLDER / name / "MODEL_CARD.md").exists()
    text = (FOLDER / name / CARD_NAME).read_text()
    assert re.findall(r'"/[^"]*"', text) == []


@pytest.mark.parametrize("name", OF_GALAXIES)
def test_the_five_classes_of_galaxy_zoo_2_are_told(name: str) -> None:
    assert read_card(name).classes == CLASSES


def test_a_name_is_good_on_every_host_and_a_path_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_reference("galaxy-zoo") == "galaxy-zoo"
    assert model_folder_uri("galaxy-zoo") == str(FOLDER / "galaxy-zoo")
    assert model_reference("./galaxy-zoo") == str(tmp_path / "galaxy-zoo")
    assert model_reference("s3://bucket/galaxy-zoo") == "s3://bucket/galaxy-zoo"


def test_an_unknown_name_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ModelFolderError, match="galaxy-zoology; .*: galaxy-zoo"):
        read_card("galaxy-zoology")


@pytest.mark.slow
def test_a_folder_of_images_is_scored_without_any_training(
    labelled: Survey, tmp_path: Path
) -> None:
    images = str(labelled.catalog.parent / "images")
    score(ScoreConfig(catalog=images, model="galaxy-zoo", output=str(tmp_path)))
    table = pd.read_parquet(tmp_path)
    labels = pd.read_csv(labelled.catalog, dtype={"object_id": str})
    table = table.merge(labels, on="object_id", validate="one_to_one")
    assert len(table) == len(labels)
    good = table[table["status"] == "ok"]
    # A made-up sky is not what it was taught on; chance is a fourth.
    assert (good["predicted_class"] == good["label"]).mean() > 0.6
    assert '"model": "galaxy-zoo"' in (tmp_path / "_run.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "hidden_units", "new_layers"),
    [
        ("galaxy-zoo", 1000, (HEAD_NAME,)),
        ("galaxy-zoo-small", 64, (HIDDEN_NAME, HEAD_NAME)),
    ],
)
def test_training_may_start_from_a_shipped_model(
    name: str, hidden_units: int, new_layers: tuple[str, ...]
) -> None:
    """In its parts; a whole training that starts from a model has its own tests."""
    shipped = read_card(name)
    config = TrainConfig(
        catalog="c",
        output="o",
        start_from=name,
        network=shipped.network,  # type: ignore[arg-type]
        alpha=shipped.alpha,
        hidden_units=hidden_units,
        image_size=48,
    )
    start = find_starting_point(config, ClassesHead(("featured", "smooth")))
    assert start is not None
    assert (start.cards, start.new_layers) == ((shipped,), new_layers)
    network = build_network(shipped.network, 2, 48, shipped.alpha, hidden_units)

    start.copy_weights(network)

    source = load_model(name)
    for layer in network.layers:
        if layer.name not in new_layers:
            theirs = source.get_layer(layer.name).get_weights()
            for mine, other in zip(layer.get_weights(), theirs, strict=True):
                np.testing.assert_array_equal(mine, other)


@pytest.fixture(scope="module", params=OF_GALAXIES)
def unseen(
    request: pytest.FixtureRequest,
    galaxy_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> pd.DataFrame:
    """Predictions for the galaxies of Galaxy Zoo 2 that training never saw."""
    card = read_card(request.param)
    tables = []
    for name in ("galaxy_zoo_2", "galaxy_zoo_2_clean"):
        table = pd.read_csv(galaxy_data / name / "catalog.csv", dtype=str)
        table["image"] = f"{galaxy_data / name}/" + table["image"]
        tables.append(table)
    catalog = pd.concat(tables, ignore_index=True)
    catalog = catalog[sides_in_training(catalog["object_id"], card) == "test"]
    path = tmp_path_factory.mktemp("unseen")
    catalog.to_csv(path / "catalog.csv", index=False)
    score(
        ScoreConfig(
            catalog=str(path / "catalog.csv"),
            model=request.param,
            output=str(path / "predictions"),
            plan="local",
        )
    )
    predictions = pd.read_parquet(path / "predictions")
    predictions["object_id"] = predictions["object_id"].astype(str)
    return predictions.merge(catalog, on="object_id").assign(model=request.param)


@pytest.mark.slow
@pytest.mark.real_data
def test_unseen_galaxies_are_recognised(unseen: pd.DataFrame) -> None:
    assert len(unseen) > 1000
    is_right = unseen["predicted_class"] == unseen["label"]
    is_small = unseen["model"].iloc[0] == "galaxy-zoo-small"
    assert is_right.mean() > (0.94 if is_small else 0.95)
    assert is_right.groupby(unseen["label"]).mean().min() > (0.2 if is_small else 0.4)


@pytest.mark.slow
@pytest.mark.real_data
def test_confidence_says_how_often_it_is_right(unseen: pd.DataFrame) -> None:
    is_right = unseen["predicted_class"] == unseen["label"]
    assert abs(unseen["confidence"].mean() - is_right.mean()) < 0.02

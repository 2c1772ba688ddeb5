"""A model folder is whole and what it says it is, or it is refused."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_models.errors import ModelFolderError
from galaxy_models.images.decode import DecodeRule
from galaxy_models.models.card import (
    CARD_NAME,
    MODEL_NAME,
    LiteRTRecord,
    ModelCard,
    hash_model,
    library_versions,
)
from galaxy_models.models.folder import (
    load_model,
    read_card,
    read_model_file,
    write_card,
)

LITERT_FIELDS = [field.name for field in dataclasses.fields(LiteRTRecord)]
REPOSITORY = Path(__file__).parents[2]
CARD = ModelCard(
    network="lenet5",
    classes=("cigar", "round", "spirale barrée"),
    decode_rule=DecodeRule(64, 0.875, ("i", "r", "g"), 0.1, 8.0),
    model_hash=hash_model(b"weights"),
    training={"epochs": 3, "learning_rate": 5e-4},
    data={"catalog": "/sky/galaxies.csv", "training": {"cigar": 4}},
    metrics={"val_accuracy": 0.5},
    temperature=1.25,
    versions={"python": "3.11"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose card is right for its (nonsense) model."""
    (tmp_path / MODEL_NAME).write_bytes(b"weights")
    write_card(str(tmp_path), CARD)
    return tmp_path


def rewrite_card(folder: Path, **changes: Any) -> None:
    path = folder / CARD_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after some code."""
    tail = "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    finished = subprocess.run(
        [sys.executable, "-c", code + tail],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    return set(finished.stdout.split())


def test_a_card_comes_back_as_it_was_written(folder: Path) -> None:
    assert read_card(str(folder)) == CARD


def test_a_card_is_json_that_people_can_read(folder: Path) -> None:
    text = (folder / CARD_NAME).read_text()

    assert text.endswith("}\n")
    assert "spirale barrée" in text
    assert json.loads(text)["decode_rule"] == {
        "image_size": 64,
        "crop_fraction": 0.875,
        "fits_bands": ["i", "r", "g"],
        "fits_stretch": 0.1,
        "fits_q": 8.0,
    }


def test_a_card_from_before_fits_is_read(folder: Path) -> None:
    rewrite_card(folder, decode_rule={"image_size": 64, "crop_fraction": 0.875})

    assert read_card(str(folder)).decode_rule == DecodeRule(64, 0.875)


def test_a_card_from_before_calibration_changes_no_probability(folder: Path) -> None:
    path = folder / CARD_NAME
    content = json.loads(path.read_text())
    del content["temperature"]
    path.write_text(json.dumps(content))

    assert read_card(str(folder)).temperature == 1


def test_a_missing_folder_is_refused_with_the_job_that_makes_one(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        ModelFolderError,
        match=f"no model folder at {tmp_path}/nowhere; .*--model.*jobs.train",
    ):
        read_card(f"{tmp_path}/nowhere")


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ([CARD_NAME], r"lacks model\.json; it holds model\.keras\. .*interrupted"),
        ([MODEL_NAME], r"lacks model\.keras; it holds model\.json\. .*interrupted"),
        ([CARD_NAME, MODEL_NAME], r"lacks model\.json and model\.keras.*nothing"),
    ],
)
def test_missing_parts_are_named(
    removed: list[str], message: str, folder: Path
) -> None:
    for name in removed:
        (folder / name).unlink()

    with pytest.raises(ModelFolderError, match=message):
        read_card(str(folder))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"network": "lenet5"}', "\udcff"],
    ids=["empty", "cut", "list", "null", "no keys", "few keys", "no UTF-8"],
)
def test_a_card_that_cannot_be_understood_is_named(text: str, folder: Path) -> None:
    (folder / CARD_NAME).write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(
        ModelFolderError, match=f"cannot understand {folder}/model.json: "
    ):
        read_card(str(folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"classes": None},
        {"decode_rule": {"image_size": 0}},
        {"decode_rule": {"image_size": 64, "crop_fraction": 2}},
        {"decode_rule": {"size": 64}},
        {"temperature": 0},
        {"temperature": -1.5},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"temperature": "1.5"},
        {"temperature": None},
        {"classes": [["cigar"], 7]},
        {"training": "jobs.train"},
        {"alpha": "1"},
        {"alpha": 0},
        {"hidden_units": -1},
        {"format_version": 5},
        {"format_version": "2"},
        {"litert": {"../../keys": dict.fromkeys(LITERT_FIELDS, 0)}},
    ],
)
def test_a_card_with_an_impossible_value_is_refused(
    changes: dict[str, Any], folder: Path
) -> None:
    rewrite_card(folder, **changes)

    with pytest.raises(ModelFolderError, match=r"cannot understand .*model\.json"):
        read_card(str(folder))


def test_a_card_of_format_1_says_alpha_and_flips_under_training(folder: Path) -> None:
    content = json.loads((folder / CARD_NAME).read_text())
    for name in ("format_version", "alpha", "horizontal_flip", "vertical_flip"):
        del content[name]
    content["training"] |= {"alpha": 0.5, "vertical_flip": False}
    (folder / CARD_NAME).write_text(json.dumps(content))

    card = read_card(str(folder))

    assert (card.alpha, card.horizontal_flip, card.vertical_flip) == (0.5, True, False)


def test_a_card_of_a_newer_version_says_what_to_install(folder: Path) -> None:
    rewrite_card(folder, format_version=5)

    with pytest.raises(ModelFolderError, match="format_version 5: .*install"):
        read_card(str(folder))


def test_a_model_that_the_card_does_not_name_is_refused(folder: Path) -> None:
    (folder / MODEL_NAME).write_bytes(b"weightz")

    with pytest.raises(
        ModelFolderError,
        match=rf"model\.keras in {folder} is not .*{CARD.model_hash[:12]}…; copy",
    ):
        read_model_file(str(folder), read_card(str(folder)), MODEL_NAME)


def test_a_model_has_one_name_however_often_it_is_hashed() -> None:
    assert hash_model(b"weights") == hash_model(b"weights")
    assert hash_model(b"weights") != hash_model(b"weightz")
    assert len(hash_model(b"")) == 64


def test_versions_name_what_decides_a_result() -> None:
    versions = library_versions()

    assert versions["python"].startswith("3.")
    assert {"keras", "numpy", "pillow", "pyarrow", "ray", "tensorflow"} < set(versions)


def test_reading_a_card_does_not_import_tensorflow(folder: Path) -> None:
    code = (
        f"from galaxy_models.models.folder import read_card; read_card({str(folder)!r})"
    )

    assert not {"tensorflow", "keras"} & modules_after(code)


def test_the_jobs_are_imported_without_tensorflow() -> None:
    loaded = modules_after("import jobs.train, jobs.score")

    assert "galaxy_models" in loaded
    assert not {"tensorflow", "keras"} & loaded


@pytest.fixture(scope="module")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of the network that ``CARD`` names."""
    from galaxy_models.models.networks import build_network

    path = tmp_path_factory.mktemp("model") / MODEL_NAME
    build_network("lenet5", len(CARD.classes), 64).save(path)
    return path.read_bytes()


@pytest.mark.slow
def test_a_whole_folder_gives_a_network_that_predicts(
    folder: Path, small_network: bytes
) -> None:
    (folder / MODEL_NAME).write_bytes(small_network)
    rewrite_card(folder, model_hash=hash_model(small_network))
    import keras

    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    probabilities = load_model(str(folder)).predict_on_batch(images)

    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    stock = keras.saving.load_model(folder / MODEL_NAME)
    np.testing.assert_array_equal(probabilities, stock.predict_on_batch(images))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["cigar", "round"]}, "is not the lenet5 with 2 classes"),
        ({"network": "mobilenet_v1"}, r"'shrink \(Aver\w+\)' where mobilenet_v1 has"),
        ({"network": "os.system"}, "There is no network named 'os.system'"),
        ({"alpha": 0.5}, "is not the lenet5"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_a_model_that_is_not_what_the_card_says_is_refused(
    folder: Path, small_network: bytes, changes: dict[str, Any], message: str
) -> None:
    (folder / MODEL_NAME).write_bytes(small_network)
    rewrite_card(folder, model_hash=hash_model(small_network), **changes)

    with pytest.raises(ModelFolderError, match=message) as refusal:
        load_model(str(folder))
    assert "\n" not in str(refusal.value)

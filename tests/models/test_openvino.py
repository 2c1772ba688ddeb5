"""OpenVINO gives what the trained model gives; its files are made once."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from galaxy_models.config import EngineName
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ConfigError, ModelFolderError
from galaxy_models.models import engines, openvino_files, openvino_network
from galaxy_models.models.card import (
    FLOAT_NAME,
    INT8_NAME,
    MODEL_NAME,
    ModelCard,
    hash_model,
    head_fields,
)
from galaxy_models.models.engine_trials import unusable_because
from galaxy_models.models.engines import (
    agreement_of,
    check_engine,
    choose_engine,
    cpu_candidates,
    load_engine,
)
from galaxy_models.models.folder import read_card
from galaxy_models.models.heads import (
    Head,
    RegressionHead,
    Target,
    VotesHead,
)
from galaxy_models.models.openvino_files import OpenVINOFiles
from galaxy_models.models.openvino_network import OpenVINONetwork, read_graph
from galaxy_models.models.sample_galaxies import sample_galaxies
from galaxy_models.tables.vote_tables.decision_tree import make_tree

pytestmark = pytest.mark.slow
IMAGES = sample_galaxies(12, 32)  # a batch, and half of one


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of this module's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def card(model_folder: str) -> ModelCard:
    return read_card(model_folder)


@pytest.fixture
def files(model_folder: str, card: ModelCard) -> OpenVINOFiles:
    """OpenVINO's files of the model, which are in the cache."""
    return openvino_files.openvino_files(model_folder, card)


@pytest.fixture
def exports(files: OpenVINOFiles, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gives the files that were exported at once, and notes each time."""
    times: list[str] = []

    def exported(model: str, card: ModelCard) -> tuple[bytes, bytes]:
        times.append(model)
        return files.graph, files.weights

    monkeypatch.setattr(openvino_files, "_exported", exported)
    return times


def test_outputs_and_features_are_those_of_the_litert_file(
    model_folder: str, card: ModelCard
) -> None:
    expected = load_engine("litert-float", model_folder, card, threads=1)
    found = load_engine("openvino-float", model_folder, card, threads=1)
    for ours, theirs in zip(
        found.predict_with_features(IMAGES),
        expected.predict_with_features(IMAGES),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    outputs = found.predict(IMAGES)
    assert outputs.dtype == np.float32 and len(outputs) == len(IMAGES)


def test_a_galaxy_s_outputs_do_not_depend_on_the_others(
    model_folder: str, card: ModelCard
) -> None:
    engine = load_engine("openvino-float", model_folder, card, threads=1)
    outputs, features = engine.predict_with_features(IMAGES)
    alone = [engine.predict_with_features(IMAGES[i : i + 1]) for i in range(12)]
    np.testing.assert_array_equal(np.concatenate([one[0] for one in alone]), outputs)
    np.testing.assert_array_equal(np.concatenate([one[1] for one in alone]), features)
    backwards = engine.predict(IMAGES[::-1])
    np.testing.assert_array_equal(backwards[::-1], outputs)


def test_the_float_engine_agrees_with_the_litert_file(files: OpenVINOFiles) -> None:
    assert files.agreements["openvino-float"] >= 0.99


def test_the_network_is_exported_once(
    model_folder: str, card: ModelCard, exports: list[str]
) -> None:
    load_engine("openvino-float", model_folder, card, threads=1)
    assert not exports


@pytest.mark.parametrize("num_bytes", [0, -1000])
def test_a_damaged_file_of_the_cache_is_made_anew(
    num_bytes: int,
    model_folder: str,
    card: ModelCard,
    exports: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = openvino_files.cached_path(card)
    whole = path.read_bytes()
    path.write_bytes(whole[:num_bytes])
    load_engine("openvino-float", model_folder, card, threads=1)
    assert f"{path} is damaged" in caplog.text
    assert len(exports) == 1 and path.read_bytes()[:4] == whole[:4]
    load_engine("openvino-float", model_folder, card, threads=1)
    assert len(exports) == 1


def test_a_flipped_bit_of_the_cache_is_noticed(
    model_folder: str, card: ModelCard, exports: list[str]
) -> None:
    path = openvino_files.cached_path(card)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    load_engine("openvino-float", model_folder, card, threads=1)
    assert len(exports) == 1


def test_a_cache_that_cannot_be_written_is_done_without(
    model_folder: str,
    card: ModelCard,
    exports: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        engine = load_engine("openvino-float", model_folder, card, threads=1)
    assert engine.predict(IMAGES).shape == (12, len(card.classes))
    assert len(exports) == 1
    assert "files of the model are not kept" in caplog.text


def test_a_card_of_other_images_is_refused(model_folder: str, card: ModelCard) -> None:
    rule = dataclasses.replace(card.decode_rule, image_size=48)
    other = dataclasses.replace(card, decode_rule=rule)
    with pytest.raises(ModelFolderError, match=r"\(32, 32, 3\) .* says 48×48 px"):
        load_engine("openvino-float", model_folder, other, threads=1)


def test_without_openvino_the_engine_says_which_extra_brings_it(
    model_folder: str, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_network, "is_installed", lambda: False)
    extra = r"pip install 'galaxy-batch\[openvino\]'"
    for refuse in (
        lambda: choose_engine("openvino-float", card, on_gpus=False),
        lambda: load_engine("openvino-bf16", model_folder, card, threads=1),
    ):
        with pytest.raises(ConfigError, match=f"--engine openvino-.*{extra}"):
            refuse()


def test_bf16_is_refused_where_the_processor_has_none(
    model_folder: str, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("openvino_network", "openvino_files", "engine_trials"):
        name = f"galaxy_models.models.{module}.has_bf16"
        monkeypatch.setattr(name, lambda: False)
    trouble = unusable_because("openvino-bf16", model_folder, card)
    assert trouble is not None and "its processor has no bfloat16" in trouble
    assert unusable_because("openvino-float", model_folder, card) is None


Warned = Callable[[ModelCard, EngineName], bool]


@pytest.fixture
def warned(model_folder: str, caplog: pytest.LogCaptureFixture) -> Warned:
    """Whether the check of an engine warns of what it says."""

    def check(card: ModelCard, name: EngineName) -> bool:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            check_engine(name, model_folder, card)
        return "of galaxies only, and is used because it was asked for" in caplog.text

    return check


def test_an_engine_that_disagrees_is_warned_of(
    card: ModelCard,
    files: OpenVINOFiles,
    warned: Warned,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for agreement in (0.98, 0.99):
        record = dataclasses.replace(card.litert[INT8_NAME], agreement=agreement)
        changed = dataclasses.replace(card, litert={INT8_NAME: record})
        assert warned(changed, "litert-int8") == (agreement < 0.99)
    assert not warned(card, "openvino-float")
    agreements: dict[EngineName, float] = {"openvino-float": 0.5, "openvino-int8": 0.6}
    doubtful = dataclasses.replace(files, agreements=agreements)
    monkeypatch.setattr(engines, "openvino_files", lambda *_: doubtful)
    assert warned(card, "openvino-float") and warned(card, "openvino-int8")


def test_integers_are_compared_with_the_trained_network() -> None:
    card = read_card("galaxy-zoo-small")
    size = card.decode_rule.image_size
    images = sample_galaxies(openvino_files.NUM_COMPARED, size)
    ours, theirs = (
        load_engine(name, "galaxy-zoo-small", card, threads=2).predict(images)
        for name in ("openvino-int8", "openvino-float")
    )
    found = agreement_of("openvino-int8", "galaxy-zoo-small", card)
    assert found == np.mean(ours.argmax(axis=1) == theirs.argmax(axis=1))
    assert found is not None and found >= 0.98


def test_integers_that_disagree_as_litert_s_are_no_candidate(card: ModelCard) -> None:
    assert "openvino-int8" in cpu_candidates(card)
    worse = dataclasses.replace(card.litert[INT8_NAME], agreement=0.5)
    doubtful = dataclasses.replace(card, litert={INT8_NAME: worse})
    assert "openvino-int8" not in cpu_candidates(doubtful)


def test_integers_are_refused_of_a_folder_without_them(card: ModelCard) -> None:
    floats = {FLOAT_NAME: card.litert[FLOAT_NAME]}
    lacking = dataclasses.replace(card, litert=floats)
    with pytest.raises(ModelFolderError, match="openvino-int8.* has no model_int8"):
        choose_engine("openvino-int8", lacking, on_gpus=False)
    assert "openvino-int8" not in cpu_candidates(lacking)


TREE = make_tree({"smooth": {"yes": None, "no": None}}, "here")
HEADS: dict[str, Head] = {
    "mobilenet_v1": RegressionHead((Target("radius", 3.0, 1.0),)),
    "mobilenet_v2_paper": VotesHead(TREE),
}


@pytest.mark.faults
@pytest.mark.parametrize("name", HEADS)
def test_mobilenets_of_other_heads_are_exported_exactly(
    name: str, tmp_path: Path
) -> None:
    import keras

    from galaxy_models.models.networks import build_network, with_features_output

    keras.utils.set_random_seed(1)
    head = HEADS[name]
    network = build_network(name, len(head.output_names), 32, kind=head.kind)
    network.save(tmp_path / MODEL_NAME)
    model_hash = hash_model((tmp_path / MODEL_NAME).read_bytes())
    card = ModelCard(name, (), DecodeRule(32), model_hash)
    card = dataclasses.replace(card, **head_fields(head))
    graph, weights = openvino_files._exported(str(tmp_path), card)
    engine = OpenVINONetwork(read_graph(graph, weights), 1, "f32")
    expected = with_features_output(network).predict_on_batch(IMAGES)
    for ours, theirs in zip(
        engine.predict_with_features(IMAGES), expected, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)

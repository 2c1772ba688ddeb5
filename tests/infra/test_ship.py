"""A model that is made to come with the package keeps nothing of where it was made."""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from galaxy_models.config import TrainConfig
from galaxy_models.models.card import (
    CARD_NAME,
    INT8_NAME,
    EmbeddingRecord,
    LiteRTRecord,
    ModelCard,
    hash_model,
)
from galaxy_models.models.folder import write_card

SCRIPT = Path(__file__).parents[2] / "infra/models/ship.py"
SPEC = importlib.util.spec_from_file_location("ship", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
ship: Any = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ship)

NO_BYTES = hash_model(b"")
PLACES: dict[str, Any] = {
    "catalog": "s3://secret/survey/galaxies.csv",
    "output": "/secret/home/model",
    "start_from": "s3://secret",
    "average_with": ("/secret/third", "s3://secret/fourth"),
    "teacher": ("/secret/one", "s3://secret/two"),
    "questions": "/secret/tree.json",
    "image_root": "/secret/images",
    "allow_image_prefix": ("/secret/more", "s3://secret/"),
    "s3_endpoint_url": "http://secret:9000",
}
NO_PLACES = {
    "id_column", "image_column", "label_column", "volunteers_column", "target",
    "label_groups", "fits_bands",
}  # fmt: skip
"""Further flags that take any text."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of empty files but for the plots, whose card names places."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ship.SHIPPED:
        (folder / name).touch()
    for name in ship.PLOTS:
        Image.new("RGB", (4, 4)).save(folder / name)
    config = TrainConfig(**{**PLACES, "questions": None})  # of a teacher's own kind
    card = ModelCard(
        network=config.network,
        classes=("cigar", "round"),
        decode_rule=config.decode_rule,
        model_hash=NO_BYTES,
        alpha=1.0,
        horizontal_flip=True,
        vertical_flip=True,
        training=dataclasses.asdict(config),
        data={"catalog": PLACES["catalog"], "fingerprint": "f"},
        metrics={"val_accuracy": 0.9},
        num_epochs=1,
        temperature=1.0,
        litert={INT8_NAME: LiteRTRecord(NO_BYTES, 1.0, 0.9, 0.0, 2, 0)},
        embedding=EmbeddingRecord(NO_BYTES, 8, 16, 0.9, 99, PLACES["catalog"]),
        versions={},
    )
    write_card(str(folder), card)
    return folder


def test_no_path_and_no_host_travels_into_the_shipped_card(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship, "FOLDER", tmp_path)
    shipped = ship.ship(folder, "galaxy-zoo-small")
    assert "secret" in (folder / CARD_NAME).read_text()
    text = (shipped / CARD_NAME).read_text()
    assert "secret" not in text
    assert "galaxies.csv" in text


def test_every_flag_of_free_text_is_known_to_name_a_place_or_none() -> None:
    texts = {
        field.name
        for field in dataclasses.fields(TrainConfig)
        if field.type in (str, str | None, tuple[str, ...])
    }
    assert texts == set(ship.PATHS) | set(ship.HOSTS) | NO_PLACES
    assert set(PLACES) == set(ship.PATHS) | set(ship.HOSTS)

"""The file that is used is read once, and checked on the very bytes that are loaded."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from predictors import CountingLog, plan_for, rows_with, with_request, with_stages

from galaxy_models import storage
from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import CARD_NAME, INT8_NAME, MODEL_NAME
from galaxy_models.models.engines import check_engine
from galaxy_models.models.folder import load_litert, read_card, read_model_file
from galaxy_models.models.shipped import FOLDER
from galaxy_models.scoring.predictor import FusedPredictor

SHIPPED = "galaxy-zoo"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a file of each name was read."""
    counts: Counter[str] = Counter()

    def counting(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def read_bytes(uri: str, *args: object) -> bytes:
            counts[Path(uri).name] += 1
            return read(uri, *args)

        return read_bytes

    monkeypatch.setattr(storage, "read_bytes", counting(storage.read_bytes))
    return counts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder of one's own."""
    return Path(shutil.copytree(FOLDER / SHIPPED, tmp_path / "model"))


def test_a_card_is_read_without_the_files_that_it_names(reads: Counter[str]) -> None:
    read_card(SHIPPED)

    assert reads == {CARD_NAME: 1}


def test_an_actor_that_starts_reads_one_file_once(
    tmp_path: Path, reads: Counter[str]
) -> None:
    card = read_card(SHIPPED)
    rows = rows_with(pa.array([1]), ["1.jpg"])
    pq.write_table(rows, tmp_path / "galaxies.parquet")
    plan = plan_for(rows, str(tmp_path))
    plan = with_request(with_stages(plan, engine="litert-int8"), model=SHIPPED)
    plan = with_request(plan, card=card)
    reads.clear()

    FusedPredictor(plan, CountingLog())

    assert reads == {INT8_NAME: 1}


@pytest.mark.parametrize(
    ("engine", "name"), [("keras", MODEL_NAME), ("litert-int8", INT8_NAME)]
)
def test_a_damaged_file_that_is_used_is_refused_before_work_begins(
    folder: Path, engine: str, name: str
) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    card = read_card(str(folder))

    with pytest.raises(ModelFolderError, match=f"{name} in {folder} is not the file"):
        check_engine(engine, str(folder), card)  # type: ignore[arg-type]


def test_a_damaged_file_that_is_not_used_does_no_harm(folder: Path) -> None:
    (folder / MODEL_NAME).write_bytes(b"")

    check_engine("litert-int8", str(folder), read_card(str(folder)))


def test_a_file_that_changed_since_the_card_was_read_is_refused(folder: Path) -> None:
    card = read_card(str(folder))
    (folder / INT8_NAME).write_bytes(b"another model")

    with pytest.raises(ModelFolderError, match=f"{INT8_NAME} in .* copy the folder"):
        load_litert(str(folder), card, INT8_NAME, threads=1)


@pytest.mark.parametrize("name", [MODEL_NAME, INT8_NAME])
def test_a_file_that_is_gone_is_named(folder: Path, name: str) -> None:
    card = read_card(str(folder))
    (folder / name).unlink()

    with pytest.raises(ModelFolderError, match=f"lacks {name}"):
        read_card(str(folder))
    with pytest.raises(ModelFolderError, match=f"lacks {name}, which its model.json"):
        read_model_file(str(folder), card, name)

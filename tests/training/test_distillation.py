"""Training that learns what trained models say of its galaxies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prediction_files import FAILED, row, write_predictions, write_survey_predictions

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError, PredictionsError
from galaxy_models.models.folder import read_card
from galaxy_models.simulation import Survey
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.training import fit
from galaxy_models.training.distillation import Teacher, read_teacher

SmallTraining = Callable[..., TrainConfig]
CLASSES = ("round", "spiral")
OTHER_ORDER = ("spiral", "round")


@pytest.fixture
def catalog(sky: Path) -> Path:
    """Three galaxies, two of them labelled round."""
    path = sky / "catalog.csv"
    path.write_text(
        "object_id,image,label\n7,1.jpg,round\n8,1.jpg,round\n9,1.jpg,spiral\n"
    )
    return path


def teacher(
    catalog: Path, *folders: Path, classes: tuple[str, ...] = CLASSES
) -> Teacher:
    config = TrainConfig(
        catalog=str(catalog),
        output=str(catalog.parent / "model"),
        teacher=tuple(map(str, folders)),
    )
    opened = open_catalog(config, str(catalog.parent / "staging"), ["label"])
    read = read_teacher(config, opened, classes)
    assert read is not None
    return read


def test_what_models_say_is_averaged_whatever_their_order_of_rows_and_classes(
    catalog: Path, tmp_path: Path
) -> None:
    one = write_predictions(
        tmp_path / "one", {n: row("round", 0.9, CLASSES) for n in (7, 8, 9)}, CLASSES
    )
    other = write_predictions(
        tmp_path / "other",
        {n: row("spiral", 0.7, OTHER_ORDER) for n in (9, 8, 7, 1)},
        OTHER_ORDER,
    )
    found = teacher(catalog, one, other).of(np.array([9, 7]))
    assert found == pytest.approx(np.array([[0.6, 0.4], [0.6, 0.4]]))


def test_a_galaxy_that_failed_with_one_model_is_known_from_the_other(
    catalog: Path, tmp_path: Path
) -> None:
    said = row("round", 0.75, CLASSES)
    one = write_predictions(tmp_path / "one", {7: FAILED, 8: FAILED, 9: said}, CLASSES)
    other = write_predictions(
        tmp_path / "other", {7: FAILED, 8: said, 9: said}, CLASSES
    )
    found = teacher(catalog, one, other).of(np.array([7, 8, 9]))
    assert found.tolist() == [[0, 0], [0.75, 0.25], [0.75, 0.25]]


def test_a_table_without_some_of_the_galaxies_is_refused(
    catalog: Path, tmp_path: Path
) -> None:
    folder = write_predictions(tmp_path / "p", {7: row("round", 1, CLASSES)}, CLASSES)
    with pytest.raises(PredictionsError, match=r"p lacks 2 of the 3 galaxies .*score"):
        teacher(catalog, folder)


def test_a_table_of_other_classes_is_refused(catalog: Path, tmp_path: Path) -> None:
    folder = write_predictions(tmp_path / "p", {7: row("round", 1)})
    with pytest.raises(PredictionsError, match="edge_on.* the classes to learn are"):
        teacher(catalog, folder)


def test_a_table_of_an_unfinished_scoring_is_refused(
    catalog: Path, tmp_path: Path
) -> None:
    folder = write_predictions(tmp_path / "p", {7: row("round", 1, CLASSES)}, CLASSES)
    (folder / "_unfinished").touch()
    with pytest.raises(PredictionsError, match="not finished"):
        teacher(catalog, folder)


def test_a_table_that_is_not_there_is_refused(catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="--teacher"):
        teacher(catalog, tmp_path / "nowhere")


@pytest.mark.slow
def test_a_training_with_a_teacher_says_whose_words_it_learned(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)
    output = str(tmp_path / "model")
    fit(small_training(labelled, output, teacher=(str(folder),), epochs=1))
    card = read_card(output)
    assert card.training["teacher"] == [str(folder)]
    assert (
        card.data["teacher"]
        == teacher(labelled.catalog, folder, classes=card.classes).digest
    )
    write_survey_predictions(folder, labelled, every=2)
    assert (
        card.data["teacher"]
        != teacher(labelled.catalog, folder, classes=card.classes).digest
    )

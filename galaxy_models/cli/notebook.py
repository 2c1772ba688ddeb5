"""What a notebook calls: four jobs as functions of keywords, and ``predict``.

``fit`` is the job ``train``; jobs that have no function here are commands only.

Keywords are the jobs' flags with underscores, paths may be ``pathlib.Path``; a caller's
own ``ray.init`` is used and left as it is. In Jupyter the lines of the log stand below
the cell; elsewhere ``logging.basicConfig(level="INFO")`` shows them.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from galaxy_models.cli.keywords import configured
from galaxy_models.cli.notebook_lines import lines_in_cell
from galaxy_models.cluster.this_machine import this_machine
from galaxy_models.config import (
    DetectConfig,
    EngineName,
    EvaluateConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.errors import InputError
from galaxy_models.images.decode import square_of
from galaxy_models.models.card import ModelCard
from galaxy_models.models.engines import Engine, choose_engine, load_engine
from galaxy_models.models.folder import read_card
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring.answers import answer_arrays, answer_fields
from galaxy_models.scoring.predicted import Predicted

if TYPE_CHECKING:
    import pandas as pd

    from galaxy_models.detection.run_record import RunRecord as DetectionRecord
    from galaxy_models.evaluation import Report
    from galaxy_models.evaluation.detections import DetectionReport
    from galaxy_models.scoring import RunRecord

BATCH_SIZE = 32  # images; LiteRT does not mind (4 to 32 measured)


@lines_in_cell()
def fit(**flags: Any) -> ModelCard:
    """Train a network on labelled galaxies, by the flags of ``galaxy-batch train``.

    Returns:
        The card of the model folder that was written.

    Raises:
        GalaxyBatchError: as ``galaxy_models.training.fit``; ConfigError for a value.
        TypeError: for a keyword that is no flag.
    """
    from galaxy_models.training import fit as fit_network

    return fit_network(configured(TrainConfig, flags))


@lines_in_cell()
def score(**flags: Any) -> "RunRecord":
    """Predict every galaxy of a catalog, by the flags of ``galaxy-batch score``.

    Returns:
        What was done; the predictions are Parquet files in the folder ``output``.

    Raises:
        GalaxyBatchError: as ``galaxy_models.scoring.score``; ConfigError for a value.
        TypeError: for a keyword that is no flag.

    Example:
        >>> record = score(
        ...     catalog="labelled/catalog.csv", model="galaxy-zoo", output="predictions"
        ... )
        >>> record.num_rows, record.num_failed
        (120, 1)
    """
    from galaxy_models.scoring import score as score_catalog

    return score_catalog(configured(ScoreConfig, flags))


@lines_in_cell()
def evaluate(**flags: Any) -> "Report | DetectionReport":
    """Compare predictions with labels, or detections with a truth.

    Returns:
        Where the report's page is, and the main figures.

    Raises:
        GalaxyBatchError: as ``galaxy_models.evaluation.evaluate``; ConfigError for a
            value.
        TypeError: for a keyword that is no flag.

    Example:
        >>> report = evaluate(
        ...     predictions="predictions", labels="labels.csv", output="report"
        ... )
        >>> report.agreement.accuracy
        0.75
    """
    config = configured(EvaluateConfig, flags)
    if config.detections is not None:
        from galaxy_models.evaluation.detections import evaluate_detections

        return evaluate_detections(config)
    from galaxy_models.evaluation import evaluate as evaluate_predictions

    return evaluate_predictions(config)


@lines_in_cell()
def detect(**flags: Any) -> "DetectionRecord":
    """Find galaxies in wide images, by the flags of ``galaxy-batch detect``.

    Returns:
        What was done; the detections are Parquet files in the folder ``output``.

    Raises:
        GalaxyBatchError: as ``galaxy_models.detection.detect``; ConfigError for a
            value.
        TypeError: for a keyword that is no flag.

    Example:
        >>> record = detect(images="frames/fits", output="detections")
        >>> record.num_images, record.num_failed
        (2, 0)
    """
    from galaxy_models.detection import detect as detect_galaxies

    return detect_galaxies(configured(DetectConfig, flags))


def predict(
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    model: str | os.PathLike[str] = "galaxy-zoo",
    *,
    engine: EngineName | Literal["auto"] = "auto",
) -> "pd.DataFrame":
    """Predict arrays of pixels in this process, without files and without Ray.

    Args:
        images: uint8, shape (galaxies, height, width, 3), RGB, rows from the top; or a
            sequence of arrays of shape (height, width, 3) or (height, width), of any
            size; grey galaxies may also be one array, (galaxies, height, width). Each
            is cropped and resized as in the model's training.
        model: model folder, or ``galaxy-zoo`` or ``galaxy-zoo-small``, which come with
            the package.
        engine: as the flag of ``galaxy-batch score``.

    Returns:
        A row per image, in their order, with the columns that scoring predicts:
        ``predicted_class``, ``confidence``, and calibrated probabilities as columns
        ``probability_<class>`` (float32); or fractions of votes.

    Raises:
        ConfigError: no such engine, or the model is no name.
        InputError: an array is no 8-bit image, or one image is given without an axis of
            galaxies.
        ModelFolderError: the model cannot serve.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((2, 64, 64, 3), np.uint8)
        >>> predict(black).shape
        (2, 7)
    """
    import pandas as pd

    _check_axes(images)
    flags = {"catalog": "", "model": model, "output": "", "engine": engine}
    config = configured(ScoreConfig, flags)
    card = read_card(config.model)
    squares = [
        square_of(_checked(image, place), card.decode_rule)
        for place, image in enumerate(images)
    ]
    chosen = choose_engine(config.engine, card, on_gpus=False)
    network = _loaded(chosen, model_reference(config.model), card.model_hash)
    batches = [
        network.predict(np.stack(squares[at : at + BATCH_SIZE]))
        for at in range(0, len(squares), BATCH_SIZE)
    ]
    head = card.head
    nothing = np.empty((0, len(head.output_names)), np.float32)
    outputs = head.calibrated(np.concatenate([nothing, *batches]), card.temperature)
    names = [field.name for field in answer_fields(card, config)]
    arrays = answer_arrays(
        Predicted(outputs[None]), np.zeros(len(outputs), bool), card, config
    )
    columns = zip(names, arrays, strict=True)
    return pd.DataFrame({name: array.to_pandas() for name, array in columns})


def _check_axes(images: object) -> None:
    """Refuse an array that is one image: its rows would pass for grey galaxies.

    Raises:
        InputError: naming the shape and the remedy.
    """
    shape: tuple[int, ...] = tuple(getattr(images, "shape", ()))  # a list has none
    is_colour = len(shape) == 3 and shape[2] in (3, 4)
    if is_colour or len(shape) == 2:
        one = "images[None, ..., :3]" if shape[2:] == (4,) else "images[None]"
        grey = f", or list(images) for {shape[0]} grey ones" if is_colour else ""
        raise InputError(
            f"an array of shape {shape} looks like one image, not several: give "
            f"{one} for one galaxy{grey}."
        )


def _checked(image: NDArray[np.uint8], place: int) -> NDArray[np.uint8]:
    """Give an image three channels; refuse what is none."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, axis=-1)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"image {place} is {pixels.dtype} of shape {pixels.shape}; give uint8 "
            "(0 to 255) of shape (height, width, 3), or (height, width) for grey."
        )
    if not pixels.size:
        raise InputError(f"image {place} has no pixels: its shape is {pixels.shape}.")
    return pixels


@lru_cache(maxsize=4)
def _loaded(engine: EngineName, model: str, _model_hash: str) -> Engine:
    """Load a model once for many calls; anew if its folder was written again."""
    return load_engine(engine, model, read_card(model), this_machine().num_cpus)

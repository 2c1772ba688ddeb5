"""Daft's way of scoring galaxies: with its own decoder and Keras, or with our parts.

Needs Daft (the extra ``bench``); ``contestants.py`` imports it where Daft is asked for.
"""

from typing import Any

import daft
import numpy as np
from contest import Contest, Int8Engine, num_cpus
from daft.functions import decode_image, download, resize
from numpy.typing import NDArray

from galaxy_models.images import decode
from galaxy_models.images.decode import DecodeRule
from galaxy_models.models.engines import load_engine
from galaxy_models.models.folder import read_card

BATCH_SIZE = 32  # images; as the other contestants
PROBABILITIES = daft.DataType.list(daft.DataType.float32())


class KerasRows:
    """Predicts Daft's images with Keras.

    Args:
        keras_model: path of a Keras file.
    """

    def __init__(self, keras_model: str) -> None:
        import keras

        self._model = keras.saving.load_model(keras_model, compile=False)

    @daft.method.batch(return_dtype=PROBABILITIES, batch_size=BATCH_SIZE)
    def predict(self, pixels: Any) -> list[NDArray[np.float32]]:
        """Predict a batch (a ``daft.Series``) of images of one size."""
        return list(self._model.predict_on_batch(np.stack(pixels.to_pylist())))


class Int8Rows:
    """Decodes and predicts files' bytes with this project's parts, on one core.

    Args:
        model: model folder.
        rule: how bytes become pixels.
        engine: one of integers.
    """

    def __init__(self, model: str, rule: DecodeRule, engine: Int8Engine) -> None:
        self._engine = load_engine(engine, model, read_card(model), 1)
        self._rule = rule

    @daft.method.batch(return_dtype=PROBABILITIES, batch_size=BATCH_SIZE)
    def predict(self, files: Any) -> list[NDArray[np.float32]]:
        """Predict a batch (a ``daft.Series``) of JPEG files' bytes."""
        decoded = [decode.decode_image(data, self._rule) for data in files.to_pylist()]
        return list(self._engine.predict(np.stack(decoded)))


@daft.func.batch(return_dtype=daft.DataType.string())
def best_class(probabilities: Any, classes: list[str]) -> list[str]:
    """Name the most probable class of each row."""
    return [classes[int(np.argmax(row))] for row in probabilities.to_pylist()]


def score_with_daft(contest: Contest, *, int8: bool) -> None:
    """From a table of files to Parquet.

    Args:
        contest: what to score.
        int8: decode and predict with this project's parts instead of Daft's decoder
            and Keras.
    """
    files = download(daft.col("image"))
    predict = _predict_with_int8 if int8 else _predict_with_keras
    rows = daft.read_parquet(contest.catalog).select(
        daft.col("object_id"), predict(contest, files).alias("probabilities")
    )
    classes = list(contest.read_card().classes)
    rows.with_column(
        "predicted_class", best_class(daft.col("probabilities"), classes)
    ).write_parquet(contest.output)


def _predict_with_keras(contest: Contest, files: Any) -> Any:
    size = contest.read_card().decode_rule.image_size
    pixels = resize(decode_image(files, mode="RGB"), size, size)
    a_core_each = daft.cls(KerasRows, use_process=True, max_concurrency=num_cpus())
    return a_core_each(contest.keras_model).predict(pixels)


def _predict_with_int8(contest: Contest, files: Any) -> Any:
    a_core_each = daft.cls(Int8Rows, use_process=True, max_concurrency=num_cpus())
    rule = contest.read_card().decode_rule
    return a_core_each(contest.model, rule, contest.engine).predict(files)

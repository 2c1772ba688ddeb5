"""The ways of scoring galaxies that ``score_throughput.py`` sets against jobs.score.

    python tests/benchmarks/contestants.py NAME --catalog galaxies.parquet \
        --model model --output predictions

Each reads the same JPEG files, predicts with the same weights on all cores, and writes
Parquet rows of ``object_id``, ``predicted_class`` and ``probabilities``. Each runs in a
process of its own, so that one's TensorFlow, Ray or Daft settings never reach another.
This module knows nothing of clocks: the whole command is timed from outside. Daft's
contestants are in ``daft_contestants.py``, because Daft need not be installed.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import tyro
from contest import Contest, num_cpus, prediction_rows
from numpy.typing import NDArray

from galaxy_models.images.decode import decode_image
from galaxy_models.models.engines import load_engine

BATCH_SIZE = 32  # images; jobs.score's default, and Keras'
IMAGES_IN_MEMORY = 512  # 300 MB of float32 at 224 px

ContestantName = Literal["blog", "ray_pattern", "daft_keras", "daft_int8", "floor"]


def score_as_blog_post(contest: Contest) -> None:
    """One process, a loop over files, ``model.predict``; TensorFlow has all cores.

    ``load_img`` keeps its default filter ("nearest"), the cheapest that it has.
    """
    import keras

    card = contest.read_card()
    size = card.decode_rule.image_size
    model = keras.saving.load_model(contest.keras_model, compile=False)
    tables = []
    for batch in contest.read_catalog().to_batches(max_chunksize=IMAGES_IN_MEMORY):
        images = [
            keras.utils.img_to_array(
                keras.utils.load_img(path, target_size=(size, size))
            )
            for path in batch["image"].to_pylist()
        ]
        probabilities = model.predict(
            np.stack(images), batch_size=BATCH_SIZE, verbose=0
        )
        tables.append(prediction_rows(batch["object_id"], probabilities, card.classes))
    write_once(contest, tables)


def write_once(contest: Contest, tables: list[pa.Table]) -> None:
    """Write everything at the end, as scripts do: through a DataFrame."""
    Path(contest.output).mkdir()
    frame: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    frame.to_parquet(Path(contest.output) / "predictions.parquet", index=False)


class RayKerasPredictor:
    """The callable class of Ray Data's guide to batch inference.

    Args:
        keras_model: path of a Keras file.
        classes: names in the order of its outputs.
    """

    def __init__(self, keras_model: str, classes: tuple[str, ...]) -> None:
        import keras

        self._model = keras.saving.load_model(keras_model, compile=False)
        self._classes = classes

    def __call__(self, batch: dict[str, NDArray[Any]]) -> pa.Table:
        """Predict a batch of the columns ``image`` and ``path``."""
        object_ids = [int(Path(path).stem) for path in batch["path"]]
        probabilities = self._model.predict_on_batch(batch["image"])
        return prediction_rows(object_ids, probabilities, self._classes)


def score_as_ray_documents(contest: Contest) -> None:
    """``read_images`` → ``map_batches`` over an actor pool → ``write_parquet``.

    Everything else is Ray's default.
    """
    import ray.data

    ray.init(address="local")  # not some cluster that runs here as well
    card = contest.read_card()
    size = card.decode_rule.image_size
    folder = Path(contest.read_catalog()["image"][0].as_py()).parent
    ray.data.read_images(
        str(folder), size=(size, size), mode="RGB", include_paths=True
    ).map_batches(
        RayKerasPredictor,
        fn_constructor_args=(contest.keras_model, card.classes),
        batch_size=BATCH_SIZE,
        # An actor a core. With a whole CPU each, none would be left to read with.
        compute=ray.data.ActorPoolStrategy(size=num_cpus()),
        num_cpus=0.5,
    ).write_parquet(contest.output)


def score_on_the_floor(contest: Contest) -> None:
    """Read, decode and predict with jobs.score's parts, a process a core, without Ray.

    What Ray costs on one machine is the difference to this.
    """
    catalog = contest.read_catalog()
    shares = [
        catalog.take(np.arange(first, len(catalog), num_cpus()))
        for first in range(num_cpus())
    ]
    with ProcessPoolExecutor(num_cpus(), mp_context=get_context("spawn")) as pool:
        write_once(contest, list(pool.map(partial(score_share, contest), shares)))


def score_share(contest: Contest, share: pa.Table) -> pa.Table:
    """One process's part of the floor."""
    card = contest.read_card()
    engine = load_engine(contest.engine, contest.model, card, 1)
    tables = []
    for batch in share.to_batches(max_chunksize=BATCH_SIZE):
        images = [
            decode_image(Path(path).read_bytes(), card.decode_rule)
            for path in batch["image"].to_pylist()
        ]
        probabilities = engine.predict(np.stack(images))
        tables.append(prediction_rows(batch["object_id"], probabilities, card.classes))
    return pa.concat_tables(tables)


def compete(
    name: tyro.conf.Positional[ContestantName],
    contest: tyro.conf.OmitArgPrefixes[Contest],
) -> None:
    """Let one contestant score a catalog."""
    if name.startswith("daft"):
        from daft_contestants import score_with_daft

        score_with_daft(contest, int8=name == "daft_int8")
        return
    ways = {
        "blog": score_as_blog_post,
        "ray_pattern": score_as_ray_documents,
        "floor": score_on_the_floor,
    }
    ways[name](contest)


if __name__ == "__main__":
    sys.exit(tyro.cli(compete, description=__doc__))

"""Predictions with embeddings -> a page on which a person labels galaxies by keys.

Runs in this process alone, without Ray. The page saves a table that training takes.
"""

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from galaxy_models import storage
from galaxy_models.config import LabelPageConfig
from galaxy_models.config.label_page import MAX_KEYS
from galaxy_models.errors import CatalogError, ConfigError, PredictionsError
from galaxy_models.evaluation.cutouts import (
    CutoutSource,
    find_images,
    open_catalog_cutouts,
    read_cutouts,
)
from galaxy_models.evaluation.html_page import render
from galaxy_models.exploration.embedded_rows import read_embedded_rows
from galaxy_models.exploration.selection import (
    CANDIDATES_A_GALAXY,
    Uncertain,
    choose,
)
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.predictions import Predictions, open_predictions

logger = logging.getLogger(__name__)

PAGE_NAME = "label.html"
TEMPLATE_NAME = "label.html.jinja"
OUTPUT = output_folder.OutputKind(
    job="jobs.label_page",
    results_name="_label_page.json",  # what was asked for; no other job writes it
    names=(PAGE_NAME,),
)


def make_label_page(config: LabelPageConfig) -> tuple[str, int]:
    """Choose galaxies, and write the page.

    Args:
        config: the flags of ``jobs.label_page``.

    Returns:
        The page's URI, and how many galaxies it shows.

    Raises:
        InputError: predictions, catalog, labels or output cannot serve; nothing was
            written.
        StorageError: an object store stopped answering.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        output = output_folder.check_output(config.output, OUTPUT, config.overwrite)
        source = open_catalog_cutouts(config)
        predictions = open_predictions(config.predictions, "--predictions")
        classes = _classes(config, predictions)
        rows = _chosen(config, predictions)
        galaxies = _galaxies(source, rows)
        page = render(
            "galaxy_models.exploration",
            TEMPLATE_NAME,
            classes=classes,
            galaxies=galaxies,
            uri=predictions.uri,
        )
        contents = {PAGE_NAME: page.encode(errors="replace")}
        asked = dataclasses.asdict(config)
        output_folder.write_results(output, OUTPUT, contents, asked)
    return storage.join(output, PAGE_NAME), len(galaxies)


def _classes(config: LabelPageConfig, predictions: Predictions) -> tuple[str, ...]:
    if predictions.kind != "classes":
        raise PredictionsError(
            f"{predictions.uri} holds predicted {predictions.kind}, which say no class "
            "to be uncertain of; score with a model of classes."
        )
    if config.classes:
        return config.classes
    if len(predictions.classes) > MAX_KEYS:
        raise ConfigError(
            f"--classes: the model has {len(predictions.classes)} classes and there "
            f"are {MAX_KEYS} keys; name at most {MAX_KEYS} classes to choose from."
        )
    return predictions.classes


def _chosen(config: LabelPageConfig, predictions: Predictions) -> pa.Table:
    """Choose galaxies of the predictions, the most instructive first."""
    left_out = pa.array([], pa.string())
    if config.labels is not None:
        left_out = pa.concat_arrays(list(_labelled(config, config.labels)))
    candidates = Uncertain(config.num_galaxies * CANDIDATES_A_GALAXY, left_out)
    for batch in read_embedded_rows(predictions):
        candidates.add(batch)
    if candidates.rows is None or candidates.embeddings is None or not candidates.rows:
        raise PredictionsError(
            f"{predictions.uri} holds no galaxy that is left to label; score more."
        )
    chosen = choose(candidates.embeddings, candidates.uncertainty, config.num_galaxies)
    return candidates.rows.take(pa.array(chosen))


def _labelled(config: LabelPageConfig, labels: str) -> Iterator[pa.Array]:
    """Read the ids that are labelled already, as texts."""
    table = open_table(storage.absolute_uri(labels), "--labels")
    column = find_column(
        config.id_column,
        table.schema.names,
        table.uri,
        ("object_id",),
        table.stated_columns,
    )
    for batch in table.with_text(column).read_batches([column]):
        yield batch.column(0).cast(pa.string())


def _galaxies(source: CutoutSource, rows: pa.Table) -> list[dict[str, Any]]:
    """Describe each galaxy that can be shown, with the path of its image.

    Raises:
        CatalogError: the catalog holds the images themselves, which a table of labels
            cannot name.
    """
    ids = rows["object_id"].cast(pa.string()).to_pylist()
    paths: dict[str, str] = {}
    for found, images in find_images(source, ids):
        for object_id, image in zip(found, images, strict=True):
            if isinstance(image, bytes):
                raise CatalogError(
                    f"{source.table.uri} holds the images themselves, so that a table "
                    "of labels could not name them; name a catalog of image files."
                )
            if image:
                paths[object_id] = storage.join(source.image_root, image)
    cutouts = read_cutouts(source, ids)
    shown = rows.filter(
        pc.is_in(rows["object_id"].cast(pa.string()), pa.array(cutouts))
    )
    return [
        {
            "id": str(row["object_id"]),
            "image": paths[str(row["object_id"])],
            "src": cutouts[str(row["object_id"])],
            "predicted": f"{row['predicted_class']} {row['confidence']:.2f}",
        }
        for row in shown.to_pylist()
    ]

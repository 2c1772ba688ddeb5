"""A model folder without an embedding -> a copy that has one; nothing is trained.

The network's weights and its predictions stay as they are, bit by bit: its LiteRT
files are made to put out features too, and the principal components are fitted to
galaxies of a catalog, which need no labels. Runs in this process alone, without Ray.
"""

import dataclasses
import glob
import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import EmbedConfig
from galaxy_models.errors import CatalogError, ModelFolderError
from galaxy_models.images.decode import read_images
from galaxy_models.models.card import (
    CARD_NAME,
    EMBEDDING_NAME,
    ModelCard,
    hash_model,
)
from galaxy_models.models.embedding import MIN_GALAXIES, to_bytes
from galaxy_models.models.engines import (
    LITERT_FILES,
    Engine,
    choose_engine,
    load_engine,
)
from galaxy_models.models.folder import (
    FILE_NAMES,
    read_card,
    read_model_file,
    write_card,
)
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.litert_outputs import with_features
from galaxy_models.models.shipped import model_folder_uri, model_reference
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import (
    RowReader,
    number_rows,
    sample_rows,
)
from galaxy_models.training.embedding_fit import (
    BATCH_SIZE,
    MAX_GALAXIES,
    fit_to_images,
    record_of,
)

logger = logging.getLogger(__name__)

RECORD_NAME = "_embed.json"  # what was asked for; no other job writes it
OUTPUT = output_folder.OutputKind(
    job="jobs.embed",
    results_name=RECORD_NAME,
    names=FILE_NAMES,
)


def add_embedding(config: EmbedConfig) -> ModelCard:
    """Copy a model folder and add an embedding.

    Args:
        config: the flags of ``jobs.embed``.

    Returns:
        The copy's card.

    Raises:
        InputError: model, catalog or output cannot serve; nothing was begun.
        StorageError: an object store stopped answering.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        source = model_folder_uri(config.model)
        if storage.resolved(source) == storage.resolved(config.output):
            raise ModelFolderError(
                f"--output {config.output} is the model that is copied, and would be "
                "emptied; name a new folder."
            )
        kind = _kind(config.model)
        with output_folder.held_output(
            config.output, kind, config.overwrite, resume=False
        ) as output:
            return _add(config, kind, output)


def _add(config: EmbedConfig, kind: output_folder.OutputKind, output: str) -> ModelCard:
    """Fit the embedding, and write the copy into a folder that is held."""
    card = read_card(config.model)
    litert = _litert_with_features(config.model, card)
    staging_uri = storage.join(output, output_folder.STAGING_NAME)
    catalog = open_catalog(config, staging_uri, for_ray=False)
    data, num_galaxies = _fit(config.model, card, catalog, litert)
    records = {
        name: dataclasses.replace(card.litert[name], file_hash=hash_model(file))
        for name, file in litert.items()
    }
    embedding = record_of(data, num_galaxies, catalog.uri)
    card = dataclasses.replace(card, litert=records, embedding=embedding)
    output_folder.begin_output(output, kind, dataclasses.asdict(config))
    _write(config, output, card, {**litert, EMBEDDING_NAME: data})
    output_folder.finish_output(output)
    return card


def _kind(model: str) -> output_folder.OutputKind:
    """What the output is: whatever lies in the model's folder is copied."""
    copied = map(glob.escape, storage.list_names(model_folder_uri(model)))
    return dataclasses.replace(OUTPUT, names=(*OUTPUT.names, *copied))


def _litert_with_features(model: str, card: ModelCard) -> dict[str, bytes]:
    """Give the folder's LiteRT files by name, with a second output."""
    files = {}
    for name in card.litert:
        try:
            files[name] = with_features(read_model_file(model, card, name))
        except ValueError as error:
            raise ModelFolderError(
                f"{name} in {model_folder_uri(model)}: {error}; train the model again."
            ) from error
    return files


def _fit(
    model: str, card: ModelCard, catalog: Catalog, litert: dict[str, bytes]
) -> tuple[bytes, int]:
    """Fit to galaxies of a catalog; give the file, and their number."""
    failed: list[str] = []
    images = list(_decoded(catalog, card, failed))
    num_galaxies = sum(map(len, images))
    if num_galaxies < MIN_GALAXIES:
        raise CatalogError(
            f"--catalog {catalog.uri}: {num_galaxies} images could be read, and an "
            f"embedding needs {MIN_GALAXIES} or more. {'; '.join(failed[:1])}"
        )
    if failed:
        logger.warning("%d images could not be read: %s", len(failed), failed[0])
    logger.info("fitting to %d galaxies of %s", num_galaxies, catalog.uri)
    return to_bytes(fit_to_images(_engine(model, card, litert), images)), num_galaxies


def _engine(model: str, card: ModelCard, litert: dict[str, bytes]) -> Engine:
    """Load what scoring on CPUs would use."""
    name = choose_engine("auto", card, on_gpus=False)
    if name in LITERT_FILES:
        return LiteRTNetwork(litert[LITERT_FILES[name]], threads=1)
    return load_engine(name, model_reference(model), card, threads=1)


def _decoded(
    catalog: Catalog, card: ModelCard, failed: list[str]
) -> Iterator[NDArray[np.uint8]]:
    """Decode a random sample of a catalog; note what failed."""
    sampled = sample_rows(number_rows(catalog.table), MAX_GALAXIES)
    reader = RowReader(sampled, [catalog.image_column])
    for start in range(0, sampled.num_rows, BATCH_SIZE):
        rows = reader.read(start, min(start + BATCH_SIZE, sampled.num_rows))
        images, errors = read_images(
            image_sources(rows[catalog.image_column]),
            catalog.image_root,
            card.decode_rule,
            catalog.allowed_prefixes,
        )
        failed.extend(error for error in errors if error is not None)
        yield images[[error is None for error in errors]]


def _write(
    config: EmbedConfig, output: str, card: ModelCard, changed: dict[str, bytes]
) -> None:
    """Copy the folder, but for what changed; the card last but for the record."""
    source = model_folder_uri(config.model)
    for name in storage.list_names(source):
        uri = storage.join(source, name)
        if name not in (*changed, CARD_NAME, RECORD_NAME) and storage.is_file(uri):
            storage.write_bytes(storage.join(output, name), storage.read_bytes(uri))
    for name, data in changed.items():
        storage.write_bytes(storage.join(output, name), data)
    write_card(output, card)
    record = output_folder.json_bytes(dataclasses.asdict(config))
    storage.write_bytes(storage.join(output, RECORD_NAME), record)

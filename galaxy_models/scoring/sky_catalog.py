"""``--hats``: the finished predictions as a HATS catalog, too.

What could refuse it is checked before anything is predicted; it is written once the
predictions are complete, by the code of ``jobs.hats``.
"""

from dataclasses import replace

from galaxy_models import storage
from galaxy_models.config import HatsConfig, ScoreConfig
from galaxy_models.errors import CatalogError, OutputError
from galaxy_models.scoring.run_file import RunRecord
from galaxy_models.storage import output_folder
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.hats import OUTPUT, write_hats
from galaxy_models.tables.positions import read_positions

HATS_OUTPUT = replace(OUTPUT, flag="--hats")


def check_folder(config: ScoreConfig) -> None:
    """Refuse a folder that cannot take the HATS catalog, before anything is predicted.

    Raises:
        OutputError: it holds something, or it and --output are not apart.
    """
    if config.hats is None:
        return
    hats, output = map(storage.absolute_uri, (config.hats, config.output))
    if not storage.are_apart(hats, output):
        raise OutputError(
            f"--hats {hats} and --output {output} are one folder, or one lies in the "
            "other: its readers would find every row twice; name folders apart."
        )
    output_folder.check_output(hats, HATS_OUTPUT, config.overwrite)


def check_positions(catalog: Catalog) -> None:
    """Refuse a catalog with galaxies that have no place in a HATS catalog.

    Raises:
        CatalogError: positions were asked for, and a galaxy has none on the sky.
    """
    if catalog.positions is None:
        return
    names = [catalog.id_column, *catalog.positions]
    for batch in catalog.table.read_batches(names):
        read_positions(
            batch, catalog.positions, catalog.id_column, catalog.uri, CatalogError
        )


def write(config: ScoreConfig, record: RunRecord) -> None:
    """Write the HATS catalog of finished predictions.

    Args:
        config: with ``hats``.
        record: that of the predictions, with their positions.

    Raises:
        InputError: rows that were carried over have no position, or the folder holds
            another catalog.
        StorageError: a disk or an object store failed; the same call resumes.
    """
    assert config.hats is not None and record.positions is not None
    ra_column, dec_column = record.positions
    write_hats(
        HatsConfig(
            predictions=config.output,
            output=config.hats,
            ra_column=ra_column,
            dec_column=dec_column,
            s3_endpoint_url=config.s3_endpoint_url,
            overwrite=config.overwrite,
        ),
        HATS_OUTPUT,
    )

"""Try everything in a few minutes: no data, no network, no cluster needed.

    galaxy-batch quickstart
    galaxy-batch quickstart --detect

Simulates a small survey, trains a small network on its labelled galaxies, scores a
catalog in which some images are broken, prints the head of the predictions in pandas,
and draws quickstart/gallery.png. With --detect it makes up wide frames, finds the
galaxies in them with the model that comes with the package, and compares them with the
truth: quickstart/overlay and quickstart/report/report.html.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from galaxy_models.cli.command_line import Job
from galaxy_models.cli.quickstart_detect import quickstart_detect
from galaxy_models.config import QuickstartConfig, ScoreConfig, TrainConfig
from galaxy_models.errors import OutputError

logger = logging.getLogger(__name__)

CUTOUT_SIZE_PX = 96
NETWORK_SIZE_PX = 64
BROKEN_FRACTION = 0.03
NUM_SHOWN = 40  # cutouts in the gallery
NUM_FAILED_SHOWN = 4


def quickstart(config: QuickstartConfig) -> dict[str, Any]:
    """Simulate, train, score, show."""
    folder = Path(config.output)
    if folder.exists() and any(folder.iterdir()):
        raise OutputError(f"--output {folder} is not empty; name a new folder.")
    if config.detect:
        return quickstart_detect(folder, config)
    from galaxy_models.scoring import score  # only once the flags are accepted
    from galaxy_models.simulation import write_survey
    from galaxy_models.training import fit

    logger.info("drawing %d galaxies", config.num_labelled + config.num_catalog)
    labelled = write_survey(
        folder / "labelled",
        config.num_labelled,
        image_size=CUTOUT_SIZE_PX,
        seed=config.seed,
    )
    survey = write_survey(
        folder / "survey",
        config.num_catalog,
        image_size=CUTOUT_SIZE_PX,
        seed=config.seed + 1,
        broken_fraction=BROKEN_FRACTION,
        labelled=False,
        catalog_name="catalog.parquet",
    )
    catalog, predictions = str(survey.catalog), str(folder / "predictions")
    training = TrainConfig(
        catalog=str(labelled.catalog),
        output=str(folder / "model"),
        network="mobilenet_v2_paper",
        alpha=0.35,
        image_size=NETWORK_SIZE_PX,
        epochs=config.epochs,
        learning_rate=2e-3,
        seed=config.seed,
    )
    scoring = ScoreConfig(
        catalog=catalog,
        model=training.output,
        output=predictions,
        keep=("ra", "dec"),
    )
    fit(training)
    score(scoring)
    picture = str(folder / "gallery.png")
    show(catalog, predictions, picture)
    return {"picture": picture}


def show(catalog: str, predictions: str, gallery_uri: str) -> None:
    """Print the head of the predictions and draw some of them."""
    import pandas as pd

    from galaxy_models import storage
    from galaxy_models.evaluation import plots
    from galaxy_models.images.decode import DecodeRule, read_images
    from galaxy_models.tables.prediction_schema import STATUS_FAILED, STATUS_OK

    table = pd.read_parquet(predictions)
    summary = table.drop(columns=table.filter(like="probability_").columns)
    head = summary.head(8).to_string()
    sys.stdout.write(f"\n>>> pd.read_parquet({predictions!r})\n{head}\n\n")
    sys.stdout.write(f"{table['predicted_class'].value_counts(dropna=False)}\n\n")
    failed = table[table["status"] == STATUS_FAILED].head(NUM_FAILED_SHOWN)
    good = table[table["status"] == STATUS_OK].head(NUM_SHOWN - len(failed))
    shown = pd.concat([good, failed])
    paths = pd.read_parquet(catalog).set_index("object_id")["image"]
    images, errors = read_images(
        paths.loc[shown["object_id"]].tolist(),
        storage.parent(catalog),
        DecodeRule(CUTOUT_SIZE_PX),
    )
    captions = [
        f"{row.predicted_class} {row.confidence:.2f}"
        if row.status == STATUS_OK
        else str(row.error).partition(":")[0]
        for row in shown.itertuples()
    ]
    pictures = [
        image if error is None else None
        for image, error in zip(images, errors, strict=True)
    ]
    data = plots.gallery(pictures, captions, "Made-up galaxies as the model sees them")
    storage.write_bytes(gallery_uri, data)
    sys.stdout.write(f"picture: {gallery_uri}\n")


JOB = Job(
    name="quickstart",
    config_class=QuickstartConfig,
    run=quickstart,
    description=__doc__,
    remedy="run it again with another --output",
)

"""Detections and a truth -> metrics, figures, an HTML report; in this process alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.detections.figures import draw_figures
from galaxy_models.evaluation.detections.gallery import (
    cut_pictures,
    galleries,
    image_root_of,
)
from galaxy_models.evaluation.detections.page import detection_page
from galaxy_models.evaluation.detections.results import (
    DetectionEvaluation,
    detection_record,
    measure_detections,
)
from galaxy_models.evaluation.detections.tables import read_tables
from galaxy_models.evaluation.report_files import (
    METRICS_NAME,
    OUTPUT,
    write_files,
)
from galaxy_models.storage import output_folder, s3_settings


@dataclass(frozen=True)
class DetectionReport:
    """What was written."""

    page: str
    """URI of the page."""

    evaluation: DetectionEvaluation


def evaluate_detections(config: EvaluateConfig) -> DetectionReport:
    """Compare detections with a truth, and write the report.

    Args:
        config: the flags of ``jobs.evaluate``, with ``detections`` and ``truth``.

    Raises:
        InputError: detections, truth or output cannot serve; nothing was written.
        StorageError: an object store stopped answering.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        output = output_folder.check_output(config.output, OUTPUT, config.overwrite)
        tables = read_tables(str(config.detections), str(config.truth))
        evaluation = measure_detections(tables, config)
        drawn = draw_figures(evaluation)
        page = _page(evaluation, drawn, config)
        contents = {
            **{f"{name}.png": png for name, png in drawn.items()},
            METRICS_NAME: output_folder.json_bytes(detection_record(evaluation)),
        }
        uri = write_files(output, contents, page, asdict(config))
    return DetectionReport(uri, evaluation)


def _page(
    evaluation: DetectionEvaluation,
    drawn: Mapping[str, bytes],
    config: EvaluateConfig,
) -> str:
    chosen = galleries(evaluation, config.gallery_size)
    root = image_root_of(config)
    sources = [source for gallery in chosen for source in gallery.sources]
    pictures = {} if root is None else cut_pictures(sources, root, config)
    return detection_page(evaluation, drawn, chosen, pictures)

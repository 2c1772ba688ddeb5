"""The folder of a report: what is written, and whose folder it is.

It knows names and bytes; it knows neither metrics nor pages.
"""

from collections.abc import Mapping
from typing import Any

from galaxy_models import storage
from galaxy_models.evaluation.wording import PLOT_TEXTS
from galaxy_models.storage import output_folder

METRICS_NAME = "metrics.json"
REPORT_NAME = "report.html"
RECORD_NAME = "_evaluation.json"  # what was asked for; no other job writes it
PLOT_NAMES = (
    *PLOT_TEXTS,
    # Of measured numbers, each with the number's name:
    "distribution_*", "predicted_against_true_*", "errors_*", "ranks_*",
    # Of detections:
    "completeness_magnitude", "completeness_size", "purity", "purity_galaxies",
    "positions", "blends",
)  # fmt: skip
OUTPUT = output_folder.OutputKind(
    job="jobs.evaluate",
    results_name=RECORD_NAME,
    names=(METRICS_NAME, REPORT_NAME, *(f"{name}.png" for name in PLOT_NAMES)),
    version_1_keys=frozenset({"predictions", "gallery_size"}),
)


def write_files(
    output: str, contents: Mapping[str, bytes], page: str, asked: Mapping[str, Any]
) -> str:
    """Write a report into a checked folder; what was asked for comes last.

    Args:
        output: URI of the folder.
        contents: files by name: metrics and figures.
        page: the HTML page.
        asked: the flags.

    Returns:
        URI of the page.
    """
    contents = {**contents, REPORT_NAME: page.encode(errors="replace")}
    output_folder.write_results(output, OUTPUT, contents, asked)
    return storage.join(output, REPORT_NAME)

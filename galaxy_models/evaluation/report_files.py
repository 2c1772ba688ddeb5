"""The folder of a report: what is written, and whose folder it is.

It knows names and bytes; it knows neither metrics nor pages.
"""

import json
from collections.abc import Mapping
from typing import Any

from galaxy_models import storage
from galaxy_models.storage import output_folder

METRICS_NAME = "metrics.json"
REPORT_NAME = "report.html"
RECORD_NAME = "_evaluation.json"  # what was asked for; no other job writes it
OUTPUT = output_folder.OutputKind(
    job="jobs.evaluate",
    results_name=RECORD_NAME,
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
    everything = {
        **contents,
        REPORT_NAME: page.encode(errors="replace"),
        RECORD_NAME: json_bytes(asked),
    }
    output_folder.begin_output(output, OUTPUT, asked)
    for name, data in everything.items():
        storage.write_bytes(storage.join(output, name), data)
    output_folder.finish_output(output)
    return storage.join(output, REPORT_NAME)


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Write JSON that people can read, too."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace") + b"\n"

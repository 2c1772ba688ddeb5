"""What Ray's hosts serve to Prometheus of a job."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

import ray
from prometheus_client.parser import text_string_to_metric_families

from galaxy_models.cluster.metrics import JOB_METRICS, OUTPUT_LABEL

TIMEOUT_S = 240  # Ray's processes report every 10 s
Samples = dict[tuple[str, str], float]
"""By name and the label beside ``output``."""


def samples_of(
    output: str,
    are_enough: Callable[[Samples], bool],
    addresses: Sequence[str] | None = None,
) -> Samples:
    """Scrape a job's samples until they are what is waited for.

    Args:
        output: the job's output folder.
        are_enough: whether they are.
        addresses: host and port of what is scraped; this session's Ray if left out.
    """
    if addresses is None:
        addresses = [
            f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
            for node in ray.nodes()
        ]
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        found = _scrape(output, addresses)
        if are_enough(found):
            return found
        assert time.monotonic() < deadline_s, found
        time.sleep(1)


def _scrape(output: str, addresses: Sequence[str]) -> Samples:
    labels = {metric.prometheus_name: metric.label for metric in JOB_METRICS}
    found: Samples = {}
    for address in addresses:
        try:
            url = f"http://{address}/metrics"
            with urllib.request.urlopen(url, timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.URLError:  # its host begins to serve it a little later
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get(OUTPUT_LABEL) == output:
                    label = labels[sample.name]
                    key = sample.name, sample.labels[label] if label else ""
                    found[key] = found.get(key, 0) + sample.value
    return found

"""A job's Prometheus metrics, exported through Ray while it runs.

The driver records them as chunks and epochs end; each host of Ray serves what its
processes recorded. All metric names are defined here. This module does not know what is
counted.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from ray.util.metrics import Counter, Gauge

PREFIX = "galaxy_batch_"
OUTPUT_LABEL = "output"  # distinguishes the jobs of a cluster
REFRESH_S = 5  # Ray drops a gauge that is not set again within two reports, 20 s


@dataclass(frozen=True)
class JobMetric:
    """A metric of a job."""

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    meaning: str
    label: str | None = None
    """Its label besides ``output``."""

    @property
    def ray_name(self) -> str:
        """Its name in Ray."""
        return PREFIX + self.name

    @property
    def prometheus_name(self) -> str:
        """Its name in Prometheus."""
        suffix = "_total" if self.kind == "counter" else ""
        return f"ray_{self.ray_name}{suffix}"


JOB_METRICS = (
    JobMetric(
        "score_rows", "counter", "rows", "Predictions that are kept, failed rows too."
    ),
    JobMetric(
        "score_failures", "counter", "rows", "Failed rows that are kept.", "reason"
    ),
    JobMetric(
        "score_seconds",
        "counter",
        "s",
        "Time of the predicting actors, summed: reading (waiting for catalog and "
        "images), decoding, predicting, writing; in two stages the last two only.",
        "stage",
    ),
    JobMetric("score_rows_to_do", "gauge", "rows", "What this run has to predict."),
    JobMetric(
        "detect_tiles", "counter", "tiles", "Tiles that are kept, failed ones too."
    ),
    JobMetric("detect_sources", "counter", "rows", "Rows of sources that are kept."),
    JobMetric(
        "detect_failures", "counter", "tiles", "Failed tiles that are kept.", "reason"
    ),
    JobMetric(
        "detect_seconds",
        "counter",
        "s",
        "Time of the detecting actors, summed: reading (and decoding), extracting, "
        "measuring, predicting, writing.",
        "stage",
    ),
    JobMetric("detect_tiles_to_do", "gauge", "tiles", "What this run has to do."),
    JobMetric("train_epoch", "gauge", "", "The last epoch that is finished."),
    JobMetric("train_loss", "gauge", "", "Loss of a galaxy in that epoch.", "side"),
    JobMetric("train_accuracy", "gauge", "0 to 1", "Share that is right.", "side"),
    JobMetric("train_learning_rate", "gauge", "", "Learning rate of that epoch."),
    JobMetric("train_images_per_second", "gauge", "1/s", "Galaxies learned from."),
    JobMetric(
        "train_wait_fraction", "gauge", "0 to 1", "Share of training spent waiting."
    ),
)
"""Every metric; ``infra/README.md`` lists them."""


@contextmanager
def job_metrics(output: str) -> Iterator["JobMetrics"]:
    """Open the metrics of one job; gauges last as long. Ray must run.

    Args:
        output: the job's output folder.
    """
    metrics = JobMetrics(output)
    is_over = threading.Event()

    def refresh() -> None:
        while not is_over.wait(REFRESH_S):
            metrics.set_gauges_anew()

    refreshing = threading.Thread(target=refresh, daemon=True)
    refreshing.start()
    try:
        yield metrics
    finally:
        is_over.set()
        refreshing.join()


class JobMetrics:
    """Records the metrics of one job; see ``job_metrics``.

    Args:
        output: the job's output folder.
    """

    def __init__(self, output: str) -> None:
        self._output = output
        self._recorded: dict[str, Any] = {}
        self._gauges: dict[tuple[str, str], tuple[Any, float, dict[str, str]]] = {}
        self._setting = threading.Lock()  # or an old figure might follow a new one

    def add(self, name: str, number: float, **label: str) -> None:
        """Add to a counter; what is not above 0 adds nothing."""
        if number > 0:
            self._metric(name).inc(number, self._labels(label))

    def set(self, name: str, number: float, **label: str) -> None:
        """Set a gauge."""
        gauge, labels = self._metric(name), self._labels(label)
        with self._setting:
            gauge.set(number, labels)
            self._gauges[name, str(label)] = gauge, number, labels

    def set_gauges_anew(self) -> None:
        """Set every gauge to what it is."""
        with self._setting:
            for gauge, number, labels in self._gauges.values():
                gauge.set(number, labels)

    def _labels(self, label: dict[str, str]) -> dict[str, str]:
        return {OUTPUT_LABEL: self._output, **label}

    def _metric(self, name: str) -> Any:
        """Register a metric when it is first recorded."""
        if name not in self._recorded:
            (metric,) = (metric for metric in JOB_METRICS if metric.name == name)
            labels = (OUTPUT_LABEL, *([metric.label] if metric.label else []))
            kind = Counter if metric.kind == "counter" else Gauge
            self._recorded[name] = kind(metric.ray_name, metric.meaning, labels)
        return self._recorded[name]

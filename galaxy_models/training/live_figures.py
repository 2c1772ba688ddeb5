"""The last epoch's figures, for Prometheus."""

from collections.abc import Mapping

from galaxy_models.cluster.metrics import JobMetrics

METRICS_OF_COLUMNS: dict[str, tuple[str, dict[str, str]]] = {
    "epoch": ("train_epoch", {}),
    "loss": ("train_loss", {"side": "training"}),
    "val_loss": ("train_loss", {"side": "validation"}),
    "accuracy": ("train_accuracy", {"side": "training"}),
    "val_accuracy": ("train_accuracy", {"side": "validation"}),
    "learning_rate": ("train_learning_rate", {}),
    "images_per_s": ("train_images_per_second", {}),
    "wait_fraction": ("train_wait_fraction", {}),
}
"""Metric and label of each column of ``history.csv`` that is shown."""


class LiveFigures:
    """Records how training stands.

    Args:
        metrics: of the job.
    """

    def __init__(self, metrics: JobMetrics) -> None:
        self._metrics = metrics

    def __call__(self, row: Mapping[str, float]) -> None:
        """Record an epoch's row."""
        for column, (name, label) in METRICS_OF_COLUMNS.items():
            if column not in row:  # accuracy, where there are no classes
                continue
            self._metrics.set(name, float(row[column]), **label)

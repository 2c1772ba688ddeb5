"""Ray Train without helpers that a training here has no use for.

Each helper is a process that imports Ray: 1.5 to 2 s of CPU time, as much as a small
training itself takes. This module knows neither networks nor galaxies.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import (
    PlacementGroupCleanerCallback,
)
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from galaxy_models.cluster.session import ray_is_embedded

PREEMPTION_VARIABLE = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"


class Trainer(DataParallelTrainer):
    """Ray Train's, whose workers read their galaxies' blocks themselves.

    So nothing hands out datasets. And where Ray ends with this process, nothing needs
    to watch for hosts that a cluster takes back, nor to clear up after the driver.
    """

    def fit(self) -> Any:
        """Run the workers to their end; see ``DataParallelTrainer``."""
        if not ray_is_embedded():
            return super().fit()
        with _default_variable(PREEMPTION_VARIABLE, "0"):
            return super().fit()

    def _create_default_callbacks(self) -> list[Any]:
        unused: tuple[type, ...] = (DatasetsCallback,)
        if ray_is_embedded():
            unused += (PlacementGroupCleanerCallback,)
        callbacks = super()._create_default_callbacks()
        return [callback for callback in callbacks if not isinstance(callback, unused)]


@contextmanager
def _default_variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for a while, unless somebody has set it."""
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]

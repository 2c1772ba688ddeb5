"""Sums over all workers, on TensorFlow's collective runtime.

The strategy object serves only to start that runtime: ``fit`` under
``MultiWorkerMirroredStrategy`` fails in Keras 3 (keras issue 20585). Imports
TensorFlow: workers only.
"""

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


class Collective:
    """Sums over all workers.

    Must be made before any other TensorFlow operation, in every worker. With one
    worker nothing is started and a sum is what came in.

    Args:
        world_size: number of workers, as in ``TF_CONFIG``.
    """

    def __init__(self, world_size: int) -> None:
        self.world_size = world_size
        self._strategy: Any = None
        if world_size > 1:
            hosts = json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"]
            assert len(hosts) == world_size, f"{hosts} for {world_size} workers"
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
            self._eager_sum = tf.function(self._sum, jit_compile=False)

    def sum(self, tensors: Sequence[Any]) -> list[Any]:
        """Add float tensors up over all workers, in one all-reduce.

        Every worker must call this equally often with equal shapes, or all hang.

        Args:
            tensors: float tensors of any shapes.

        Returns:
            float32 tensors of the same shapes, equal on every worker.
        """
        tensors = [tf.cast(tensor, tf.float32) for tensor in tensors]
        if self._strategy is None:
            return tensors
        if tf.inside_function():
            return self._sum(tensors)
        return list(self._eager_sum(tensors))

    def as_replica(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in which Keras' layers find the other workers.

        ``BatchNormalization(synchronized=True)`` adds its sums up by itself there,
        and does nothing of the kind elsewhere.
        """
        if self._strategy is None:
            return function(*arguments)
        return self._strategy.run(function, args=arguments)

    def _sum(self, tensors: list[Any]) -> list[Any]:
        flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)
        total = self._strategy.run(_all_reduce_sum, args=(flat,))
        parts = tf.split(total, [tf.size(tensor) for tensor in tensors])
        return [
            tf.reshape(part, tf.shape(tensor))
            for part, tensor in zip(parts, tensors, strict=True)
        ]


def _all_reduce_sum(flat: Any) -> Any:
    context = tf.distribute.get_replica_context()
    # The copy lies on the replica's device; without a device all_reduce refuses it.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(flat))

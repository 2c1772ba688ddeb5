"""Keras 3 training over several processes that equals training in one.

``fit`` under ``MultiWorkerMirroredStrategy`` fails in Keras 3 (keras issue 20585). So
the model is built outside any strategy, and its own step adds up over the workers
what one process would have added up over a larger batch: gradients of the summed loss
and the number of galaxies, in one flat all-reduce. The strategy serves only to start
TensorFlow's collective runtime.

Batch normalisation normalises by each worker's own share of the batch (that is the
one difference from a single process); its moving statistics are averaged in the same
all-reduce, so that all workers hold the same network after every step.

Imports TensorFlow: workers only.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import keras
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


class DataParallelModel(keras.Model):
    """A functional model whose steps and metrics count all workers' galaxies.

    Batches are ``(images, labels, weights)``. A row of weight 0 is padding: it counts
    nowhere. Other weights scale a galaxy's loss but not its place in the metrics.
    Losses are sums of weighted losses over the number of galaxies, as in Keras.
    """

    collective: Collective

    def train_step(self, data: Any) -> dict[str, Any]:
        """Take one step with the gradients of all workers' galaxies."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = self(images, training=True)
            total, count = self._summed_loss(images, labels, predicted, weights)
            scaled = self.optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, self.trainable_variables)
        statistics = self._moving_statistics()
        sums = self.collective.sum([*gradients, *statistics, count])
        num_galaxies = tf.maximum(sums[-1], 1.0)
        self.optimizer.apply(
            [gradient / num_galaxies for gradient in sums[: len(gradients)]],
            self.trainable_variables,
        )
        for variable, value in zip(statistics, sums[len(gradients) : -1], strict=True):
            variable.assign(value / self.collective.world_size)
        return self._record(labels, predicted, total, count, weights)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Record the loss and metrics of one batch of this worker."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        predicted = self(images, training=False)
        total, count = self._summed_loss(images, labels, predicted, weights, False)
        return self._record(labels, predicted, total, count, weights)

    def _summed_loss(
        self,
        images: Any,
        labels: Any,
        predicted: Any,
        weights: Any,
        training: bool = True,
    ) -> tuple[Any, Any]:
        """Sum of weighted losses, and number of galaxies that are not padding.

        Regularisation is a property of the network, not of a galaxy; it is counted
        once a galaxy here so that dividing by all workers' galaxies gives it back.
        """
        batch_size = tf.cast(tf.shape(labels)[0], tf.float32)
        count = tf.cast(tf.math.count_nonzero(weights), tf.float32)
        mean = self.compute_loss(images, labels, predicted, weights, training=training)
        regularisation = tf.add_n(self.losses) if self.losses else 0.0
        return (mean - regularisation) * batch_size + regularisation * count, count

    def _moving_statistics(self) -> list[Any]:
        """Batch norm's means and variances (and nothing else: no seeds, no counts)."""
        return [
            variable
            for layer in self.layers
            if isinstance(layer, keras.layers.BatchNormalization)
            for variable in layer.non_trainable_variables
        ]

    def _record(
        self, labels: Any, predicted: Any, total: Any, count: Any, weights: Any
    ) -> dict[str, Any]:
        mean = tf.math.divide_no_nan(total, count)
        self._loss_tracker.update_state(mean, sample_weight=count)
        is_galaxy = tf.cast(weights != 0, tf.float32)
        return dict(self.compute_metrics(None, labels, predicted, is_galaxy))

    def get_metrics_result(self) -> dict[str, Any]:
        """Metrics over all workers when an epoch ends, of this worker within it."""
        if tf.inside_function() or self.collective.world_size == 1:
            return dict(super().get_metrics_result())
        variables = [v for metric in self.metrics for v in metric.variables]
        mine = [tf.identity(variable) for variable in variables]
        for variable, total in zip(variables, self.collective.sum(mine), strict=True):
            variable.assign(total)
        result = dict(super().get_metrics_result())
        for variable, value in zip(variables, mine, strict=True):
            variable.assign(value)
        return result


def data_parallel(
    network: keras.Model, collective: Collective, learning_rate: float
) -> DataParallelModel:
    """Wrap a network for training; both share their weights.

    Args:
        network: a functional model that puts out probabilities.
        collective: the sums over all workers.
        learning_rate: Adam's first rate.

    Returns:
        A compiled model, to be fitted with ``(images, labels, weights)`` batches.
    """
    model = DataParallelModel(network.inputs, network.outputs)
    model.collective = collective
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # XLA on CPUs is 10 times slower
    )
    # Variables made inside the first step would have it traced twice (20 s more).
    model.optimizer.build(model.trainable_variables)
    return model

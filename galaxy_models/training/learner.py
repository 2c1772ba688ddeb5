"""A network in training: built, trained for an epoch, evaluated, kept, restored.

Imports TensorFlow: workers only. It knows neither Ray nor files.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.models.heads import HEAD_NAME, Head
from galaxy_models.models.networks import build_network
from galaxy_models.training.batches import Batch
from galaxy_models.training.checkpoint import Arrays
from galaxy_models.training.collective import Collective
from galaxy_models.training.data_parallel import DataParallelNetwork
from galaxy_models.training.fast_layers import with_fast_layers
from galaxy_models.training.fine_tuning import StartingPoint
from galaxy_models.training.objectives import objective_for
from galaxy_models.training.truth import Truth

Sums = NDArray[np.float64]  # summed loss, summed figures (see objectives), galaxies


class DivergedError(TrainingError):
    """The loss is no longer a number; raised by all workers at the same step."""


class Learner:
    """A network in training.

    Args:
        config: which network, and how it learns.
        head: what it learns to say.
        precision: a Keras dtype policy; weights and probabilities stay float32.
        collective: the sums over all workers.
        members: see ``ClassObjective``.
        start: model folder whose weights it starts from.
    """

    def __init__(
        self,
        config: TrainConfig,
        head: Head,
        precision: str,
        collective: Collective,
        *,
        members: NDArray[np.bool_] | None = None,
        start: StartingPoint | None = None,
    ) -> None:
        self._config = config
        self._head = head
        self._precision = precision
        self._collective = collective
        self._objective = objective_for(head, config, members)
        keras.utils.set_random_seed(config.seed)  # the same first weights on all ranks
        keras.config.set_dtype_policy(precision)
        self._network = with_fast_layers(self._build())
        keras.config.set_dtype_policy("float32")
        if start is not None:
            start.copy_weights(self._network)
        self._new_layers = start.new_layers if start is not None else ()
        self.only_head_learns = bool(self._new_layers)
        self._parallel = self._parallel_network()

    def _parallel_network(self) -> DataParallelNetwork:
        """Prepare the step for those layers that learn, with an optimizer that is new.

        A layer that does not learn normalises by its moving statistics, and keeps them.
        """
        for layer in self._network.layers:
            is_new = layer.name in self._new_layers
            layer.trainable = is_new or not self.only_head_learns
        optimizer = keras.optimizers.Adam(self._config.learning_rate)
        if self._precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return DataParallelNetwork(
            self._network,
            optimizer,
            self._collective,
            self._objective,
            sync_batch_norm=self._config.sync_batch_norm,
            averaging=self._config.weight_averaging,
        )

    def begin_epoch(self, *, only_head: bool) -> None:
        """Let all layers learn from now on, or only the last ones, which are new."""
        if only_head != self.only_head_learns:
            self.only_head_learns = only_head
            self._parallel = self._parallel_network()

    def _build(self) -> keras.Model:
        config, head = self._config, self._head
        return build_network(
            config.network,
            len(head.output_names),
            config.image_size,
            config.alpha,
            config.hidden_units,
            head.kind,
        )

    def train_epoch(
        self,
        batches: Iterator[Batch],
        learning_rate: float,
        on_sums: Callable[[Sums], None] = lambda _: None,
    ) -> Sums:
        """Take a step for every batch.

        Args:
            batches: this worker's share of them.
            learning_rate: of all these steps.
            on_sums: called after every step with the sums so far.

        Returns:
            Sums over all workers' galaxies, each before the step that learns from it.

        Raises:
            DivergedError: a step's loss is not a finite number.
        """
        self._parallel.optimizer.learning_rate = learning_rate
        total = np.zeros(3)
        waiting = None  # read a step late, so that a GPU need not stop for it
        for batch in batches:
            sums = self._parallel.step(
                batch.images, batch.labels, batch.weights, batch.teacher_probabilities
            )
            if waiting is not None:
                total += _finite(waiting)
                on_sums(total)
            waiting = sums
        return total + _finite(waiting)

    def evaluate(self, batches: Iterator[Batch]) -> Sums:
        """Predict every batch with the weights to keep, without learning.

        Returns:
            Sums over all workers' galaxies.

        Raises:
            DivergedError: the loss is not a finite number.
        """
        mine = np.zeros(3)
        learning = self.weights()
        self._network.set_weights(self.weights_to_keep())
        for batch in batches:
            sums = self._parallel.evaluate(batch.images, batch.labels, batch.weights)
            mine += np.asarray(sums, np.float64)
        self._network.set_weights(learning)
        (total,) = self._collective.sum([mine])
        return _finite(total)

    def weights(self) -> Arrays:
        """Copy the network's weights, with the moving statistics."""
        return [np.array(weight) for weight in self._network.get_weights()]

    def averaged_weights(self) -> Arrays:
        """Copy the running means of the weights; none without ``weight_averaging``."""
        return [mean.numpy() for mean in self._parallel.averaged_weights]

    def weights_to_keep(self) -> Arrays:
        """Copy what is worth keeping: the averaged weights, or else the weights."""
        return self.averaged_weights() or self.weights()

    def optimizer_variables(self) -> Arrays:
        """Copy what the optimizer remembers: moments, iterations, rate, loss scale."""
        return [
            keras.ops.convert_to_numpy(v) for v in self._parallel.optimizer.variables
        ]

    def restore(
        self, weights: Arrays, optimizer_variables: Arrays, averaged_weights: Arrays
    ) -> None:
        """Go on from where all three were copied, also in another precision."""
        self._network.set_weights(weights)
        optimizer = self._parallel.optimizer
        variables, kept = optimizer.variables, optimizer_variables
        if len(variables) != len(kept):
            # One of the two scales the loss: only what stands behind that is common.
            variables = getattr(optimizer, "inner_optimizer", optimizer).variables
            kept = kept[-len(variables) :]
        for variable, value in zip(
            [*variables, *self._parallel.averaged_weights],
            [*kept, *averaged_weights],
            strict=True,
        ):
            variable.assign(value)

    def finished_network(self, weights: Arrays) -> keras.Model:
        """Build the network in float32, as it is kept, whatever it was trained in."""
        network = self._build()
        network.set_weights(weights)
        return network


def undo_class_weights(network: keras.Model, weights: Sequence[float]) -> None:
    """Take the classes' weights in the loss out of a network's probabilities, in place.

    Where a galaxy of class c weighs w_c, the softmax that is learned is not p_c but
    proportional to w_c p_c. So log w_c comes off the last layer's biases. Galaxies
    whose label is a group of classes weigh 1; where there are many, this takes off too
    much.

    Args:
        network: one that was trained with the weights.
        weights: of the classes, in their order, above 0.

    Source:
        King & Zeng 2001, Political Analysis 9, 137 (prior correction).
    """
    head = network.get_layer(HEAD_NAME)
    kernel, biases = head.get_weights()
    head.set_weights([kernel, biases - np.log(weights).astype(biases.dtype)])


def predict_batches(
    network: keras.Model, batches: Iterator[Batch], truth: Truth
) -> pd.DataFrame:
    """Predict galaxies and lay the result out as a table.

    Args:
        network: a trained one.
        batches: the galaxies.
        truth: what is known of them.

    Returns:
        Columns ``object_id``, those of ``truth`` and the network's outputs.
    """
    tables = []
    for batch in batches:
        counts = batch.weights > 0
        outputs = network.predict_on_batch(batch.images)[counts]
        columns = {
            "object_id": batch.object_ids[counts],
            **truth.columns_of(batch.labels[counts], outputs),
            **dict(zip(truth.head.output_names, outputs.T, strict=True)),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)


def _finite(sums: object) -> Sums:
    values = np.asarray(sums, np.float64)
    if not math.isfinite(values[0]):
        raise DivergedError(f"the loss is {values[0]}")
    return values

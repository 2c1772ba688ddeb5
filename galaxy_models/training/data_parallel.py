"""The training step: over several processes what it would be in one.

Each worker differentiates the *sum* of its galaxies' losses; gradients, sums and the
number of galaxies go through one flat all-reduce, and every worker takes the same
Adam step with their mean. So two workers with half the batch take the step that one
worker takes with all of it, to the rounding of a sum, and all workers hold the same
bits after it.

Batch normalisation is the exception. A worker normalises by its own share of the
batch, whose mean and variance differ from the whole batch's by sampling noise: of
order 1/√n for n galaxies times positions, so least in early layers. The step is then
that of another, equally valid, random batch. ``sync_batch_norm`` adds the sums of every
such layer up over the workers, which costs three small all-reduces a layer and pass; it
is exact where every worker has as many galaxies of the batch.
Either way the moving statistics are averaged in the step's all-reduce: every worker
evaluates, and saves, the same network.

Imports TensorFlow: workers only.
"""

from typing import Any

import keras
import tensorflow as tf

from galaxy_models.training.collective import Collective
from galaxy_models.training.objectives import ClassObjective, Objective


class DataParallelNetwork:
    """A network, its optimizer and the workers that train it together.

    Losses and gradients are sums of weighted losses over the number of galaxies, as
    Keras has them. A row of weight 0 is padding: it counts nowhere. Other weights
    scale a galaxy's loss but not its place in the accuracy.

    Args:
        network: a functional model: uint8 images in, what its head says out.
        optimizer: any Keras optimizer.
        collective: the sums over all workers.
        objective: the loss of a galaxy; left out, the cross-entropy with its class.
        sync_batch_norm: normalise by all workers' galaxies.
        averaging: share of the running mean of the weights, moving statistics too,
            that outlives a step; 0 keeps none.

    Source:
        Polyak & Juditsky 1992, SIAM J. Control Optim. 30, 838 (averaging).
    """

    def __init__(
        self,
        network: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        collective: Collective,
        objective: Objective | None = None,
        *,
        sync_batch_norm: bool = False,
        averaging: float = 0.0,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.collective = collective
        self._batch_norms = [
            layer
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        for layer in self._batch_norms:
            layer.synchronized = sync_batch_norm
        self._objective = objective or ClassObjective(network.output_shape[1])
        self._averaging = averaging
        self.averaged_weights = [
            tf.Variable(weight, trainable=False)
            for weight in (network.weights if averaging else ())
        ]
        """Running means of the network's weights, in its order; empty without."""
        # Variables made inside the first step would have it traced twice (20 s more).
        optimizer.build(network.trainable_variables)
        signature = [
            tf.TensorSpec(network.input_shape, tf.uint8),
            self._objective.target,
            tf.TensorSpec((None,), tf.float32),
        ]  # with any number of galaxies, or a short batch would be traced anew
        # XLA on CPUs is 10 times slower.
        teacher_probabilities = tf.TensorSpec((None, None), tf.float32)
        self._step = tf.function(
            self._take_step, [*signature, teacher_probabilities], jit_compile=False
        )
        self._evaluate = tf.function(self._sums, signature, jit_compile=False)

    def step(
        self, images: Any, labels: Any, weights: Any, teacher_probabilities: Any
    ) -> Any:
        """Take one step with the gradients of all workers' galaxies.

        Args:
            images: uint8, shape (galaxies, size, size, 3); this worker's share.
            labels: what is known of each galaxy: see ``Objective.target``.
            weights: float32, shape (galaxies,); 0 for padding.
            teacher_probabilities: float32, shape (galaxies, classes), 0 in every
                class of a galaxy that the teacher does not know; without a teacher,
                shape (galaxies, 0).

        Returns:
            float32, shape (3,): summed loss, summed figures (of classes: correct
            predictions) and galaxies, of all workers, before the step.
        """
        return self._step(images, labels, weights, teacher_probabilities)

    def evaluate(self, images: Any, labels: Any, weights: Any) -> Any:
        """Predict a batch; like ``step``, without training and for this worker alone.

        Returns:
            float32, shape (3,), of this worker's galaxies only.
        """
        return self._evaluate(images, labels, weights)

    def _take_step(
        self, images: Any, labels: Any, weights: Any, teacher_probabilities: Any
    ) -> Any:
        gradients, sums = self.collective.as_replica(
            self._gradients, images, labels, weights, teacher_probabilities
        )
        statistics = [
            variable
            for layer in self._batch_norms
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
        *reduced, totals = self.collective.sum([*gradients, *statistics, sums])
        num_galaxies = tf.maximum(totals[2], 1.0)
        self.optimizer.apply(
            [gradient / num_galaxies for gradient in reduced[: len(gradients)]],
            self.network.trainable_variables,
        )
        for variable, value in zip(statistics, reduced[len(gradients) :], strict=True):
            variable.assign(value / self.collective.world_size)
        self._update_averaged_weights()
        return totals

    def _update_averaged_weights(self) -> None:
        """Update the averaged weights; quickly at first, when weights change most."""
        num_steps = tf.cast(self.optimizer.iterations, tf.float32)
        kept = tf.minimum(self._averaging, (1 + num_steps) / (10 + num_steps))
        for mean, weight in zip(
            self.averaged_weights, self.network.weights, strict=False
        ):
            mean.assign(kept * mean + (1 - kept) * tf.cast(weight, mean.dtype))

    def _gradients(
        self, images: Any, labels: Any, weights: Any, teacher_probabilities: Any
    ) -> tuple[Any, Any]:
        # The mean, so that float16 holds its gradients; a sum again before rounding
        # could matter.
        num_rows = tf.cast(tf.shape(labels)[0], tf.float32)
        with tf.GradientTape() as tape:
            sums = self._sums(images, labels, weights, teacher_probabilities)
            loss = self.optimizer.scale_loss(sums[0] / num_rows)
        gradients = tape.gradient(loss, self.network.trainable_variables)
        return [tf.cast(g, tf.float32) * num_rows for g in gradients], sums

    def _sums(
        self, images: Any, labels: Any, weights: Any, teacher_probabilities: Any = None
    ) -> Any:
        """Summed loss, summed figures and galaxies of one worker's batch.

        In learning there is ``teacher_probabilities``, if only an empty one.

        Regularisation is a property of the network, not of a galaxy; it is counted
        once a galaxy here so that dividing by all workers' galaxies gives it back.
        """
        learns = teacher_probabilities is not None
        outputs = self.network(images, training=learns)
        losses = self._objective.losses(labels, outputs, teacher_probabilities, learns)
        is_galaxy = tf.cast(weights != 0, tf.float32)
        count = tf.reduce_sum(is_galaxy)
        loss = tf.reduce_sum(losses * weights)
        if self.network.losses:
            loss += tf.add_n(self.network.losses) * count
        figures = self._objective.figures(labels, outputs) * is_galaxy
        return tf.stack([loss, tf.reduce_sum(figures), count])

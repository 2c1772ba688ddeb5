"""Keras' layers computed faster, for training on CPUs.

Only a layer's call differs: its weights, and what is saved, are those of Keras' layer.

**Batch normalisation in one pass over the maps.** Keras takes mean, variance,
difference, product and sum as operations of their own, each of which reads and writes
the whole map, and again on the way back; TensorFlow's fused operation computes the same
in one. MobileNet v1, batches of 32 at 96 px, two cores (AMD EPYC, AVX-512):
normalising took 174 ms of a step and 69 fused; steps took 278 and 354 ms in two runs,
and 204 fused.

**A 1x1 convolution as a product of matrices**, which it is. TensorFlow's gradient of a
convolution with respect to its input is slow where maps are small and deep: 64 maps of
3x3 and 1,024 channels took 397 ms, the product 28 (one core of an AMD EPYC, AVX2; 6x6
and 512 channels: 61 and 15). Whole steps of MobileNet v1 at 96 px, batches of 64, with
both layers fast: 1.6 times as fast as Keras' (``tests/benchmarks/training_steps.py``).

Imports TensorFlow: workers only.
"""

from typing import Any

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, whose training call is TensorFlow's fused operation.

    As in Keras, sums are taken in float32, and the moving variance follows the
    variance of the batch, not the estimate for what it was drawn from.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise; shape (images, height, width, channels) in and out."""
        if not (training and self.trainable) or self.synchronized:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            tf.cast(inputs, tf.float32), self.gamma, self.beta, epsilon=self.epsilon
        )
        num_values = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        variance *= (num_values - 1) / tf.maximum(num_values, 2)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        return tf.cast(outputs, self.compute_dtype)

    def _follow(self, moving: Any, value: Any) -> None:
        moving.assign(moving * self.momentum + value * (1 - self.momentum))


class PointwiseConv2D(keras.layers.Conv2D):
    """Keras' layer with a 1x1 kernel, as a product of matrices."""

    def call(self, inputs: Any) -> Any:
        """Convolve; shape (images, height, width, channels) in and out."""
        shape = tf.shape(inputs)
        pixels = tf.reshape(inputs, (-1, inputs.shape[-1]))
        outputs = tf.matmul(pixels, tf.cast(self.kernel, self.compute_dtype)[0, 0])
        return self.activation(tf.reshape(outputs, [*tf.unstack(shape[:3]), -1]))


def is_pointwise(layer: keras.Layer) -> bool:
    """Whether a layer is a convolution that mixes channels only, without biases."""
    if type(layer) is not keras.layers.Conv2D:
        return False
    has_single_taps = layer.kernel_size == layer.strides == (1, 1)
    is_plain = layer.groups == 1 and layer.data_format == "channels_last"
    return has_single_taps and is_plain and not layer.use_bias


def with_fast_layers(network: keras.Model) -> keras.Model:
    """Build a functional network anew with faster layers, and the same weights."""

    def layer_of(layer: keras.Layer) -> keras.Layer:
        kind = type(layer)
        if kind is keras.layers.BatchNormalization:
            kind = FusedBatchNormalization
        elif is_pointwise(layer):
            kind = PointwiseConv2D
        return kind.from_config(layer.get_config())

    fast = keras.models.clone_model(network, clone_function=layer_of)
    fast.set_weights(network.get_weights())
    return fast

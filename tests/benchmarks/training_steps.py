"""Time training steps with Keras' own layers beside the fast ones that training uses.

    python tests/benchmarks/training_steps.py --network mobilenet_v1 --image-size 96

Images per CPU second, medians of some steps in turn, on made-up galaxies, without
reading, augmentation and the sums over workers; out comes their ratio.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tyro
from contest import num_cpus, say

from galaxy_models.config import NetworkName
from galaxy_models.models.networks import build_network
from galaxy_models.models.tensorflow_runtime import start_tensorflow

NUM_CLASSES = 5
LEARNING_RATE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Compare steps of training."""

    network: NetworkName = "mobilenet_v1"
    """Which network."""

    image_size: int = 96
    """Side of the images (px)."""

    batch_size: int = 64
    """Galaxies a step."""

    num_steps: int = 9
    """Steps of each, after two that are not timed."""


def step_of(network: Any, flags: Steps) -> Callable[[], float]:
    """A step that says how much CPU time it took (s)."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(network.trainable_variables)

    @tf.function(jit_compile=False)
    def take(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    labels, network(images, training=True)
                )
            )
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)

    rng = np.random.default_rng(0)
    shape = (flags.batch_size, flags.image_size, flags.image_size, 3)
    images = tf.constant(rng.integers(0, 256, shape, dtype=np.uint8))
    labels = tf.constant(rng.integers(0, NUM_CLASSES, flags.batch_size))

    def timed() -> float:
        started_s = time.process_time()
        take(images, labels)
        return time.process_time() - started_s

    return timed


def compare(flags: Steps) -> None:
    """Time both in turn, and print."""
    start_tensorflow(num_cpus(), use_gpus=False)
    from galaxy_models.training.fast_layers import with_fast_layers

    keras_layers = build_network(flags.network, NUM_CLASSES, flags.image_size)
    steps = {
        "Keras' layers": step_of(keras_layers, flags),
        "fast layers": step_of(with_fast_layers(keras_layers), flags),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(2 + flags.num_steps):
        for name, step in steps.items():
            seconds[name].append(step())
    medians = {name: statistics.median(s[2:]) for name, s in seconds.items()}
    for name, median in medians.items():
        say(f"{name}: {flags.batch_size / median:.0f} images per CPU second")
    slow, fast = medians.values()
    say(f"ratio: {slow / fast:.2f}")


if __name__ == "__main__":
    compare(tyro.cli(Steps, description=__doc__))

"""How a process of this project starts TensorFlow: quietly, with a bound on threads.

Only training workers and Keras actors do; importing this module does not.
"""

import os


def start_tensorflow(
    threads: int, *, use_gpus: bool = True, deterministic: bool = False
) -> None:
    """Import TensorFlow and make it Keras' backend.

    Must run before anything else touches TensorFlow or Keras in the process.

    Args:
        threads: CPU threads that one operation may use.
        use_gpus: False keeps off the GPUs, of which TensorFlow else takes all memory.
        deterministic: the same seed gives the same bits, however threads interleave.
            Costs nothing measurable on CPUs; on GPUs it excludes the fastest kernels.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(min(threads, 2))
    if not use_gpus:
        tf.config.set_visible_devices([], "GPU")
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")

"""A LiteRT file predicts as the network it was made of, without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from galaxy_models.errors import ModelFolderError
from galaxy_models.litert import LiteRTNetwork
from galaxy_models.model_folder import (
    FLOAT_NAME,
    INT8_NAME,
    load_litert,
    load_model,
)

MAX_MEMORY_MB = 250  # TensorFlow alone takes more than 400
REPOSITORY = Path(__file__).parents[1]


def random_images(num: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num, 32, 32, 3), np.uint8)


def test_bytes_that_are_no_litert_file_are_refused() -> None:
    with pytest.raises(ModelFolderError, match="LiteRT cannot load the file"):
        LiteRTNetwork(b"no flatbuffer" * 10, threads=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tolerance"), [(FLOAT_NAME, 1e-4), (INT8_NAME, 0.1)])
def test_a_litert_file_gives_the_probabilities_of_its_network(
    model_folder: str, name: str, tolerance: float
) -> None:
    images = random_images(8)
    probabilities = load_litert(model_folder, name, threads=1).predict(images)
    expected = load_model(model_folder).predict_on_batch(images)
    np.testing.assert_allclose(probabilities, expected, atol=tolerance)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_predicting_with_litert_imports_no_tensorflow(model_folder: str) -> None:
    code = f"""
import re, sys
from pathlib import Path
import numpy as np
from galaxy_models.model_folder import load_litert
network = load_litert({model_folder!r}, {INT8_NAME!r}, threads=1)
network.predict(np.zeros((4, 32, 32, 3), np.uint8))
print(sum(name in sys.modules for name in ("tensorflow", "keras")))
status = Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) // 1024)
"""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    num_imported, memory_mb = map(int, finished.stdout.split())
    assert num_imported == 0
    assert memory_mb < MAX_MEMORY_MB

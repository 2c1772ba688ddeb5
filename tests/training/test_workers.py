"""Two training processes, held against one: the same training, or why not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_models.training.backend import free_port

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "support/worker_process.py"
ROOT = SCRIPT.parents[2]
TIMEOUT_S = 300

Case = dict[str, np.ndarray]


class Runs:
    """What one process alone, and each of two together, ended with."""

    def __init__(self, alone: Path, together: tuple[Path, Path]) -> None:
        self._files = [np.load(path) for path in (alone, *together)]

    def case(self, name: str) -> tuple[Case, Case, Case]:
        """One worker's arrays, then those of both of two workers."""
        one, first, second = (_arrays_of(name, file) for file in self._files)
        return one, first, second

    def alone(self, name: str) -> Case:
        """One worker's arrays."""
        return _arrays_of(name, self._files[0])


def _arrays_of(name: str, file: Any) -> Case:
    arrays = {
        key.partition("/")[2]: file[key]
        for key in file.files
        if key.startswith(f"{name}/")
    }
    assert arrays
    return arrays


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("workers")
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    outputs = [folder / name for name in ("alone.npz", "first.npz", "second.npz")]
    tasks = [
        {},
        *(
            {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
            for i in range(2)
        ),
    ]
    processes = []
    for output, task in zip(outputs, tasks, strict=True):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if task:
            environment["TF_CONFIG"] = json.dumps(task)
        command = [sys.executable, str(SCRIPT), str(output)]
        processes.append(subprocess.Popen(command, env=environment, cwd=folder))
    try:
        assert [process.wait(TIMEOUT_S) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
    return Runs(outputs[0], (outputs[1], outputs[2]))


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    "name", ["lenet5", "uneven", "few", "batch_norm", "sync_batch_norm", "l2"]
)
def test_both_workers_end_with_the_same_bits(runs: Runs, name: str) -> None:
    _, first, second = runs.case(name)
    assert first.keys() == second.keys()
    for what in first:
        np.testing.assert_array_equal(first[what], second[what], err_msg=what)


def test_the_same_seed_gives_the_same_mobilenet_bit_for_bit(runs: Runs) -> None:
    first, again = runs.alone("mobilenet_v1"), runs.alone("mobilenet_v1_again")
    assert first.keys() == again.keys()
    for what in first:
        np.testing.assert_array_equal(first[what], again[what], err_msg=what)


@pytest.mark.parametrize("name", ["lenet5", "uneven", "few", "l2", "sync_batch_norm"])
def test_two_workers_with_half_the_batch_train_as_one_with_all_of_it(
    runs: Runs, name: str
) -> None:
    one, two, _ = runs.case(name)
    for what in one:
        assert relative_difference(two[what], one[what]) < 1e-5, what


def test_loss_and_accuracy_count_the_galaxies_of_both_workers(runs: Runs) -> None:
    one, two, _ = runs.case("lenet5")
    loss, correct, galaxies, val_loss, val_correct, val_galaxies, _ = two["history"].T
    assert (galaxies == 50).all() and (val_galaxies == 21).all()
    np.testing.assert_array_equal(correct, one["history"][:, 1])
    np.testing.assert_array_equal(val_correct, one["history"][:, 4])
    np.testing.assert_allclose(loss, one["history"][:, 0], rtol=1e-5)
    np.testing.assert_allclose(val_loss, one["history"][:, 3], rtol=1e-5)


def test_the_rate_is_cut_in_the_same_epoch(runs: Runs) -> None:
    one, first, second = runs.case("lenet5")
    rates = one["history"][:, -1]
    assert rates[-1] < rates[0]
    np.testing.assert_array_equal(first["history"][:, -1], rates)
    np.testing.assert_array_equal(second["history"][:, -1], rates)


def test_batch_norm_of_half_a_batch_is_another_training_unless_synchronised(
    runs: Runs,
) -> None:
    one, two, _ = runs.case("batch_norm")
    assert relative_difference(two["conv/kernel"], one["conv/kernel"]) > 1e-4
    one, two, _ = runs.case("sync_batch_norm")
    assert relative_difference(two["conv/kernel"], one["conv/kernel"]) < 1e-5


def test_moving_statistics_are_the_mean_over_both_workers(runs: Runs) -> None:
    one, first, second = runs.case("batch_norm")
    for name in ("norm/moving_mean", "norm/moving_variance"):
        np.testing.assert_array_equal(first[name], second[name])
        # Each worker's own would stray by the noise of a batch of four galaxies.
        assert relative_difference(first[name], one[name]) < 0.05

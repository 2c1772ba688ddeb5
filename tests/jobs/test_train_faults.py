"""Training that loses its workers or its driver, killed for real, goes on."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from catalog_files import repeated
from job_lines import STOPPED, assert_own_lines
from job_process import JobProcess

from galaxy_models.model_folder import load_model, read_card
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

NUM_EPOCHS = 8
NUM_IDS = 2400  # so that an epoch takes seconds, and a kill falls into it
LOST_IN_EPOCH = 3
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


@pytest.fixture(scope="module")
def catalog(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labelled galaxies under twenty ids each."""
    path = tmp_path_factory.mktemp("many") / "catalog.csv"
    repeated(labelled, NUM_IDS).to_csv(path, index=False)
    return path


class TrainJob(JobProcess):
    """``jobs.train`` of LeNet-5 with two workers; its log goes beside the output."""

    def __init__(self, catalog: Path, output: Path, *flags: str) -> None:
        settings = [
            *("--catalog", str(catalog), "--output", str(output)),
            *("--network", "lenet5", "--image-size", "48", "--num-workers", "2"),
            *("--epochs", str(NUM_EPOCHS), "--plateau-patience", "1"),
            *("--validation-fraction", "0.2", *flags),
        ]
        log = output.with_name(f"{output.name}-{time.monotonic_ns()}.log")
        super().__init__("jobs.train", settings, log)

    def worker_pids(self) -> list[int]:
        return self.pids("ray::RayTrainWorker")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def undisturbed(catalog: Path, folder: Path) -> Path:
    """A model folder of a training that nothing happened to."""
    job = TrainJob(catalog, folder / "undisturbed")
    assert job.exit_code() == 0, job.log
    summary = assert_own_lines(job.log)
    card = read_card(str(folder / "undisturbed"))
    assert (summary["job"], summary["status"]) == ("jobs.train", "done")
    assert summary["output"] == str(folder / "undisturbed")
    assert summary["epochs"] == NUM_EPOCHS
    assert summary["model_hash"] == card.model_hash
    assert summary["val_accuracy"] == card.metrics["val_accuracy"]
    return folder / "undisturbed"


@pytest.fixture(scope="module")
def killed(catalog: Path, folder: Path) -> Iterator[Path]:
    """The output of a training that was stopped, went on, and was killed."""
    job = TrainJob(catalog, folder / "killed")
    job.wait_for("epoch 1/")
    job.stop()
    assert assert_own_lines(job.log)["status"] == "stopped"
    assert STOPPED in job.log
    job = TrainJob(catalog, folder / "killed")
    job.wait_for(f"epoch {LOST_IN_EPOCH}/")
    job.kill()
    assert not (folder / "killed" / "model.json").exists()
    yield folder / "killed"


def assert_same_training(found: Path, expected: Path) -> None:
    """Each epoch once, and every figure and weight as if nothing had happened."""
    history, undisturbed = (
        pd.read_csv(path / "history.csv")[FIGURES] for path in (found, expected)
    )
    assert history["epoch"].tolist() == list(range(1, NUM_EPOCHS + 1))
    pd.testing.assert_frame_equal(history, undisturbed)
    assert history["learning_rate"].nunique() > 1  # or nothing was at stake
    mine, theirs = (load_model(str(path)).get_weights() for path in (found, expected))
    for weight, other in zip(mine, theirs, strict=True):
        assert (weight == other).all()
    assert {path.name for path in found.iterdir()} == {
        path.name for path in expected.iterdir()
    }


def test_a_worker_killed_in_mid_epoch_costs_only_that_epoch(
    catalog: Path, folder: Path, undisturbed: Path
) -> None:
    job = TrainJob(catalog, folder / "worker_killed")
    job.wait_for(f"epoch {LOST_IN_EPOCH}/")
    first, second = job.worker_pids()
    os.kill(second, signal.SIGKILL)
    assert job.exit_code() == 0, job.log
    assert "training goes on after epoch" in job.log
    assert "Ray: A worker died" in job.log
    assert_own_lines(job.log)
    assert_same_training(folder / "worker_killed", undisturbed)


def test_workers_lost_too_often_end_the_job_and_leave_what_can_go_on(
    catalog: Path, folder: Path
) -> None:
    job = TrainJob(catalog, folder / "given_up", "--max-restarts", "0")
    job.wait_for("epoch 1/")
    os.kill(job.worker_pids()[0], signal.SIGKILL)
    assert job.exit_code() == 1
    assert "error: training failed" in job.log
    assert "The same command goes on" in job.log
    assert (folder / "given_up" / "_unfinished").exists()


def test_the_same_command_goes_on_after_its_driver_was_stopped_and_killed(
    catalog: Path, folder: Path, killed: Path, undisturbed: Path
) -> None:
    output = folder / "resumed"
    shutil.copytree(killed, output)
    job = TrainJob(catalog, output)
    assert job.exit_code() == 0, job.log
    assert "holds an unfinished training: it goes on" in job.log
    assert "training goes on after epoch" in job.log
    assert "epoch 1/" not in job.log
    assert_same_training(output, undisturbed)
    read_card(str(output))
    again = TrainJob(catalog, output)
    assert again.exit_code() == 2
    assert "holds earlier results" in again.log and "--overwrite" in again.log


@pytest.mark.parametrize(
    ("flags", "messages"),
    [
        (
            ["--network", "mobilenet_v1", "--image-size", "64"]
            + ["--validation-fraction", "0.3"],
            [
                "--network was lenet5, now mobilenet_v1",
                "--image-size was 48, now 64",
                "--validation-fraction was 0.2, now 0.3",
            ],
        ),
        (["--resume", "never"], ["holds unfinished results"]),
    ],
)
def test_another_training_may_not_go_on_from_it(
    catalog: Path, killed: Path, flags: list[str], messages: list[str]
) -> None:
    before = sorted(killed.rglob("*"))
    job = TrainJob(catalog, killed, *flags)
    assert job.exit_code() == 2
    assert "--overwrite" in job.log
    assert [message for message in messages if message not in job.log] == []
    staged = killed / "_staged_catalog"
    assert [p for p in sorted(killed.rglob("*")) if staged not in p.parents] == [
        p for p in before if staged not in p.parents
    ]


def test_other_labels_may_not_go_on_from_it(
    catalog: Path, killed: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(catalog)
    table["label"] = table["label"].replace("cigar", "edge_on")
    table.to_csv(tmp_path / "relabelled.csv", index=False)
    job = TrainJob(tmp_path / "relabelled.csv", killed)
    assert job.exit_code() == 2
    assert "training galaxies by label was" in job.log


def test_a_diverging_loss_ends_the_job_with_epoch_rate_and_remedy(
    catalog: Path, folder: Path
) -> None:
    job = TrainJob(catalog, folder / "diverged", "--learning-rate", "1e38")
    assert job.exit_code() == 1
    assert "error: training diverged in epoch 1: the loss is" in job.log
    assert "at learning rate 1.0e+38" in job.log
    assert "lower --learning-rate and --overwrite" in job.log

"""Training that loses its workers or its driver, killed for real, goes on.

One training loses a worker, is stopped, and its driver is killed; what finishes it is
compared with a training that nothing happened to.
"""

import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from catalog_files import repeated
from job_lines import STOPPED, assert_own_lines
from job_process import JobProcess
from lost_worker import WORKER, lost_worker

from galaxy_models.cli.command_line import parse
from galaxy_models.config import TrainConfig
from galaxy_models.errors import OutputError, TrainingError
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import Survey
from galaxy_models.storage.output_lease import LEASE_NAME
from galaxy_models.training import fit

pytestmark = [pytest.mark.slow, pytest.mark.faults]

NUM_EPOCHS = 8
NUM_IDS = 2400  # so that an epoch takes seconds, and a kill falls into it
RESUMES = "training resumes after epoch"
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


@pytest.fixture(scope="module")
def catalog(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labelled galaxies under twenty ids each."""
    path = tmp_path_factory.mktemp("many") / "catalog.csv"
    repeated(labelled, NUM_IDS).to_csv(path, index=False)
    return path


def train_flags(catalog: Path, output: Path, *flags: str) -> list[str]:
    """Flags of ``jobs.train`` for LeNet-5 with two workers."""
    return [
        *("--catalog", str(catalog), "--output", str(output)),
        *("--network", "lenet5", "--image-size", "48", "--num-workers", "2"),
        *("--epochs", str(NUM_EPOCHS), "--plateau-patience", "1"),
        *("--validation-fraction", "0.2", *flags),
    ]


class TrainJob(JobProcess):
    """``jobs.train`` with ``train_flags``; its log goes beside the output."""

    def __init__(self, catalog: Path, output: Path, *flags: str) -> None:
        log = output.with_name(f"{output.name}-{time.monotonic_ns()}.log")
        super().__init__("jobs.train", train_flags(catalog, output, *flags), log)

    def worker_pids(self) -> list[int]:
        return self.pids(WORKER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def undisturbed(ray_here: None, catalog: Path, folder: Path) -> Path:
    """A model folder of a training that nothing happened to."""
    fit(parse(TrainConfig, train_flags(catalog, folder / "undisturbed")))
    return folder / "undisturbed"


@pytest.fixture(scope="module")
def killed(catalog: Path, folder: Path) -> Path:
    """The output of a training that lost a worker, was stopped, and was killed."""
    output = folder / "killed"
    job = TrainJob(catalog, output)
    job.wait_for("epoch 2/")  # and a checkpoint of the first
    _, second = job.worker_pids()
    os.kill(second, signal.SIGKILL)
    job.wait_for(RESUMES)
    job.wait_for("epoch 3/")
    job.stop()
    assert "Ray: A worker died" in job.log
    assert assert_own_lines(job.log)["status"] == "stopped"
    assert STOPPED in job.log
    job = TrainJob(catalog, output)
    # Whichever comes next: a quick machine ended more than one before it stopped.
    job.wait_until(lambda: "epoch " in job.log.partition(RESUMES)[2])
    job.kill()
    assert not (output / "model.json").exists()
    return output


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


def test_workers_lost_too_often_end_the_job_and_leave_what_can_go_on(
    ray_here: None, catalog: Path, folder: Path
) -> None:
    flags = train_flags(catalog, folder / "given_up", "--max-restarts", "0")
    with (
        pytest.raises(
            TrainingError, match=r"(?s)^training failed.*same command resumes"
        ),
        lost_worker("epoch 1/"),
    ):
        fit(parse(TrainConfig, flags))
    assert (folder / "given_up" / "_unfinished").exists()


def refusal(catalog: Path, output: Path, *flags: str) -> str:
    """What a training that may not go on is told."""
    with pytest.raises(OutputError) as caught:
        fit(parse(TrainConfig, train_flags(catalog, output, *flags)))
    assert "--overwrite" in str(caught.value)
    return str(caught.value)


def kept_files(output: Path) -> list[Path]:
    """What a refusal leaves: all but the copied catalog and a dead job's lease."""
    passing = {output / "_staged_catalog", output / LEASE_NAME}
    return [
        path
        for path in sorted(output.rglob("*"))
        if passing.isdisjoint({path, *path.parents})
    ]


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
    ray_here: None, catalog: Path, killed: Path, flags: list[str], messages: list[str]
) -> None:
    before = kept_files(killed)
    told = refusal(catalog, killed, *flags)
    assert [message for message in messages if message not in told] == []
    assert kept_files(killed) == before


def test_other_labels_may_not_go_on_from_it(
    ray_here: None, catalog: Path, killed: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(catalog)
    table["label"] = table["label"].replace("cigar", "edge_on")
    table.to_csv(tmp_path / "relabelled.csv", index=False)
    told = refusal(tmp_path / "relabelled.csv", killed)
    assert "training galaxies by label was" in told


@pytest.fixture(scope="module")
def resumed(catalog: Path, folder: Path, killed: Path) -> TrainJob:
    """The job that finishes the killed training, in a copy of its output."""
    shutil.copytree(killed, folder / "resumed")
    job = TrainJob(catalog, folder / "resumed")
    assert job.exit_code() == 0, job.log
    return job


def test_a_lost_worker_and_a_stopped_and_a_killed_driver_change_no_bit(
    catalog: Path, folder: Path, resumed: TrainJob, undisturbed: Path
) -> None:
    assert "holds an unfinished training: it is resumed" in resumed.log
    assert RESUMES in resumed.log
    assert "epoch 1/" not in resumed.log
    assert_same_training(folder / "resumed", undisturbed)
    assert "holds earlier results" in refusal(catalog, folder / "resumed")


def test_a_training_is_summed_up_in_its_last_line(
    folder: Path, resumed: TrainJob
) -> None:
    summary = assert_own_lines(resumed.log)
    card = read_card(str(folder / "resumed"))
    assert (summary["job"], summary["status"]) == ("jobs.train", "done")
    assert summary["output"] == str(folder / "resumed")
    assert summary["epochs"] == NUM_EPOCHS
    assert summary["model_hash"] == card.model_hash
    assert summary["val_accuracy"] == card.metrics["val_accuracy"]

"""Who holds an output folder: refused while alive, replaced when dead."""

import json
import logging
import os
import re
import socket
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from lease_holder import process_that_holds

from galaxy_models import storage
from galaxy_models.errors import OutputError, StorageError
from galaxy_models.storage import output_folder, output_lease
from galaxy_models.storage.output_lease import LEASE_NAME, Holder, hold

WAIT_S = 50.0  # for what happens soon


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "below" / "output"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten all waiting that a test does not ask for."""
    for name, seconds in {"SETTLE_S": 0.01, "LOOK_S": 0.01, "SILENT_S": 0.2}.items():
        monkeypatch.setattr(output_lease, name, seconds)


@pytest.fixture
def stranger(output: Path) -> Holder:
    """A holder on a machine of which nothing is known, and whose clock is wrong."""
    output.mkdir(parents=True)
    holder = Holder("ab12", "node7", 4711, "99", "another boot", "2999-01-01 00:00 UTC")
    write_lease(output, holder)
    return holder


def write_lease(output: Path, holder: Holder, beat: int = 0) -> None:
    text = json.dumps({**asdict(holder), "beat": beat})
    storage.write_bytes(str(output / LEASE_NAME), text.encode())


def read_lease(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / LEASE_NAME).read_text()))


def refuse_to_watch(*_: object) -> bool:
    raise AssertionError("this machine's processes are known; nothing is to be watched")


def test_a_second_job_hears_who_holds_the_folder_and_since_when(output: Path) -> None:
    with hold(str(output)):
        since = re.escape(read_lease(output)["since"])
        with (
            pytest.raises(
                OutputError,
                match=rf"--output {output} is held by process {os.getpid()} on host "
                rf"{socket.gethostname()}, since {since}; wait for it, or name another",
            ),
            hold(str(output)),
        ):
            pass
        assert (output / LEASE_NAME).exists()


def test_a_job_that_wrote_nothing_leaves_nothing(output: Path) -> None:
    with hold(str(output)):
        assert (output / LEASE_NAME).exists()

    assert not output.parent.exists()


def test_a_folder_that_was_there_stays_and_results_stay(output: Path) -> None:
    output.mkdir(parents=True)
    with hold(str(output)):
        pass
    assert list(output.iterdir()) == []

    with hold(str(output)):
        (output / "part.parquet").touch()
    assert [path.name for path in output.iterdir()] == ["part.parquet"]


def test_a_folder_that_a_leaving_job_removes_meanwhile_is_made_again(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = storage.make_folder, []

    def make_too_early(uri: str) -> None:
        made.append(uri)
        make(uri)
        if len(made) == 1:
            output.rmdir()

    monkeypatch.setattr(storage, "make_folder", make_too_early)
    with hold(str(output)):
        assert read_lease(output)["pid"] == os.getpid()


def test_a_killed_holder_on_this_machine_is_replaced_at_once(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_lease, "_beats", refuse_to_watch)
    with process_that_holds(output) as process:
        with (
            pytest.raises(OutputError, match=f"held by process {process.pid} on host"),
            hold(str(output)),
        ):
            pass
        process.kill()
        process.wait(WAIT_S)
    with hold(str(output)):
        assert read_lease(output)["pid"] == os.getpid()


@pytest.mark.parametrize("is_own", [False, True])
def test_a_process_id_that_was_given_again_does_not_keep_a_lease(
    output: Path, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    monkeypatch.setattr(output_lease, "_beats", refuse_to_watch)
    holder = output_lease._this_process()
    if not is_own:
        holder = replace(holder, pid=os.getppid(), started="1")
    output.mkdir(parents=True)
    write_lease(output, holder)

    with hold(str(output)):
        assert read_lease(output)["pid"] == os.getpid()


def test_a_silent_holder_on_another_machine_is_replaced_with_a_word(
    output: Path, stranger: Holder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO), hold(str(output)):
        assert read_lease(output)["pid"] == os.getpid()

    first, second = caplog.messages
    assert "was taken by process 4711 on host node7, since 2999-01-01" in first
    assert "sign of life" in first
    assert "takes its place" in second


def test_a_lease_that_is_renewed_from_another_machine_is_respected(
    output: Path, stranger: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_lease, "SILENT_S", WAIT_S)
    is_watched = threading.Event()
    look = output_lease._read

    def look_and_say(uri: str) -> bytes | None:
        found = look(uri)
        is_watched.set()
        return found

    def renew() -> None:
        is_watched.wait(WAIT_S)
        write_lease(output, stranger, beat=1)

    monkeypatch.setattr(output_lease, "_read", look_and_say)
    renewing = threading.Thread(target=renew)
    renewing.start()
    with (
        pytest.raises(OutputError, match="held by process 4711 on host node7"),
        hold(str(output)),
    ):
        pass
    renewing.join()
    assert read_lease(output)["token"] == "ab12"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"beat": 1}', b'{"hos'])
def test_a_lease_that_nobody_finished_writing_is_replaced(
    output: Path, content: bytes
) -> None:
    output.mkdir(parents=True)
    (output / LEASE_NAME).write_bytes(content)

    with hold(str(output)):
        assert read_lease(output)["pid"] == os.getpid()


@pytest.mark.parametrize("is_left_by_a_dead_holder", [False, True])
def test_of_two_jobs_that_start_together_one_gets_the_folder(
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_left_by_a_dead_holder: bool,
) -> None:
    monkeypatch.setattr(output_lease, "SILENT_S", WAIT_S)
    if is_left_by_a_dead_holder:
        output.mkdir(parents=True)
        (output / LEASE_NAME).touch()
        both_looked, both_wrote = threading.Barrier(2), threading.Barrier(2)

        def found_dead(*_: object) -> bool:
            both_looked.wait(WAIT_S)
            return False

        monkeypatch.setattr(output_lease, "_is_alive", found_dead)
        monkeypatch.setattr("time.sleep", lambda _: both_wrote.wait(WAIT_S))
    assert contend(output) == ["held", "refused"]


def contend(output: Path | str) -> list[str]:
    """Let two jobs start at one output; what became of them, sorted."""
    outcomes: list[str] = []
    is_decided = threading.Barrier(2)
    start = threading.Barrier(2)

    def job() -> None:
        start.wait(WAIT_S)
        try:
            with hold(str(output)):
                outcomes.append("held")
                is_decided.wait(WAIT_S)
        except OutputError:
            outcomes.append("refused")
            is_decided.wait(WAIT_S)

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return sorted(outcomes)


def test_a_lease_is_renewed_also_after_a_renewal_that_failed(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_lease, "BEAT_S", 0.01)
    has_failed, is_renewed = threading.Event(), threading.Event()
    write = storage.write_bytes

    def write_the_second_time(uri: str, data: bytes) -> None:
        if not has_failed.is_set():
            has_failed.set()
            raise StorageError("the disk is full")
        write(uri, data)
        is_renewed.set()

    monkeypatch.setattr(storage, "write_bytes", write_the_second_time)
    with hold(str(output)):
        assert is_renewed.wait(WAIT_S)
        assert has_failed.is_set()
        assert read_lease(output)["beat"] > 1


def test_a_job_whose_folder_was_taken_over_says_so_and_leaves_the_lease(
    output: Path, stranger: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_lease, "BEAT_S", 0.01)
    is_told = threading.Event()
    told: list[str] = []

    def warn(message: str, *arguments: object) -> None:
        told.append(message % arguments)
        is_told.set()

    monkeypatch.setattr(output_lease.logger, "warning", warn)
    deadline_s = time.monotonic() + WAIT_S
    with hold(str(output)):
        # Once more where a beat that had read its own lease wrote it over this one.
        while not is_told.wait(0.1) and time.monotonic() < deadline_s:
            write_lease(output, stranger)
        assert is_told.is_set()

    assert "process 4711 on host node7" in told[0]
    assert read_lease(output)["token"] == "ab12"


def test_results_that_came_while_a_job_waited_are_not_emptied(
    output: Path, stranger: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = output_folder.OutputKind("jobs.score", "_run.json")

    def finish(*_: object) -> bool:
        (output / "_run.json").write_text("{}")
        (output / LEASE_NAME).unlink()
        return False

    monkeypatch.setattr(output_lease, "_beats", finish)
    with (
        pytest.raises(OutputError, match="holds earlier results"),
        output_folder.held_output(str(output), kind, overwrite=False, resume=True),
    ):
        pass
    assert [path.name for path in output.iterdir()] == ["_run.json"]


def test_finishing_an_output_does_not_give_it_back(output: Path) -> None:
    with hold(str(output)):
        output_folder.finish_output(str(output))
        assert (output / LEASE_NAME).exists()


def test_a_prefix_in_an_object_store_is_held_and_given_back(s3_bucket: str) -> None:
    uri = f"{s3_bucket}/output"
    with (
        hold(uri),
        pytest.raises(OutputError, match=f"held by process {os.getpid()} on host"),
        hold(uri),
    ):
        pass
    assert storage.list_names(uri) == []


def test_of_two_jobs_that_start_together_in_an_object_store_one_gets_the_prefix(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_looked, both_wrote = threading.Barrier(2), threading.Barrier(2)
    look = output_lease._read

    def look_together(uri: str) -> bytes | None:
        found = look(uri)
        if found is None:
            both_looked.wait(WAIT_S)
        return found

    monkeypatch.setattr(output_lease, "_read", look_together)
    monkeypatch.setattr("time.sleep", lambda _: both_wrote.wait(WAIT_S))

    assert contend(f"{s3_bucket}/output") == ["held", "refused"]

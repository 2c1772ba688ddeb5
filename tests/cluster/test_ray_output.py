"""What Ray prints by itself comes as a line of the log, or not at all."""

import logging
import os

import pytest

from galaxy_models.cluster.ray_output import raylet_in_log, stderr_unheard

DIED = (
    "\x1b[33m(raylet)\x1b[0m A worker died or was killed. To troubleshoot the problem, "
    "check the logs.\nLease ID: 02 Worker PID: 10762"
)
RETRIED = (
    "(raylet, ip=10.0.0.2) Task predict failed. There are infinite retries remaining, "
    "so the task will be retried. Error: Socket closed"
)

STOPPED = (
    "\x1b[33m(raylet)\x1b[0m The autoscaler failed with the following error:\n"
    'Terminated with signal 15\n  File "/ray/monitor.py", line 7, in <module>\n'
)
FAILED = STOPPED.replace("Terminated with signal 15", "KeyError: 'head'")


def test_the_raylets_lines_are_logged_in_a_sentence_and_others_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with raylet_in_log():
        for line in ("a table", DIED, RETRIED, STOPPED, FAILED, "its end"):
            print(line)  # noqa: T201 (as Ray does)
    assert capsys.readouterr().out == "a table\nits end\n"
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "Ray: A worker died or was killed"),
        (
            "WARNING",
            "Ray: The autoscaler failed with the following error: KeyError: 'head'",
        ),
    ]


def test_a_loss_that_is_told_besides_is_kept_for_debugging(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="galaxy_models")
    with raylet_in_log():
        print(RETRIED)  # noqa: T201
    assert caplog.messages == ["Ray: Task predict failed"]


def test_stderr_is_unheard_for_a_moment_only(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with stderr_unheard():
        os.write(2, b"from C++\n")
    os.write(2, b"from here\n")
    assert capfd.readouterr().err == "from here\n"

"""SIGTERM and Ctrl-C: a job ends at once, says how to resume, leaves no process.

``ray job stop``, Slurm and Kubernetes send SIGTERM, and kill what has not ended after
3 to 30 s. A job's finished work is on disk at every moment, so no orderly shutdown is
needed: Ray would take seconds for it, and a further signal or a store that does not
answer could interrupt it. Slurm sends the signal to Ray's processes, too; on an
overloaded machine Ray may then end this process first: a driver whose raylet has gone
exits with 1, and no handler runs. This module does not know what a job does.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import psutil

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 and the signal's number
REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by SIGTERM"}
STDOUT, STDERR = 1, 2


class StopSignals:
    """While entered, a signal ends this process and those below it.

    Args:
        remedy: how to resume; written to stderr.
        sum_up: builds the last line of stdout from the exit code and the message.
    """

    def __init__(self, remedy: str, sum_up: Callable[[int, str], str]) -> None:
        self._remedy = remedy
        self._sum_up = sum_up
        self._before: dict[signal.Signals, Any] = {}
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # where nobody sets handlers
        # The bytes come even while the main thread is deep in a library's call, and
        # whichever handlers are set in Python: Ray Train sets one for Ctrl-C.
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._watcher.start()
        for number in EXIT_CODES:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                self._before[number] = signal.signal(number, _wait_for_the_end)

    def __exit__(self, *_: object) -> None:
        if not self._watcher.is_alive():
            return
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._waker.close()
        self._watcher.join()  # for ever, if a signal came

    def _watch(self) -> None:
        """Wait for a signal, in a thread of its own."""
        with self._woken:
            while received := self._woken.recv(1):
                number = received[0]
                if number in EXIT_CODES:
                    self._end(signal.Signals(number))

    def _end(self, number: signal.Signals) -> None:
        reason = f"{REASONS[number]}; {self._remedy}"
        # By the descriptors: the main thread may have stopped in the middle of a write.
        os.write(STDERR, f"{reason}\n".encode())
        os.write(STDOUT, self._sum_up(EXIT_CODES[number], reason).encode())
        _fall_silent()
        # An embedded Ray takes a minute to notice that its driver has gone.
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        os._exit(EXIT_CODES[number])


def _fall_silent() -> None:
    """Write nothing after the summary: Ray would report that its processes ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (STDOUT, STDERR):
        os.dup2(nowhere, descriptor)


def _wait_for_the_end(*_: object) -> None:
    """Do nothing more in the main thread."""
    threading.Event().wait()

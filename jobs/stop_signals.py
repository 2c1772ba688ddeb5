"""SIGTERM and Ctrl-C: a job ends in order, soon, and leaves no process behind.

``ray job stop``, Slurm and Kubernetes send SIGTERM, and kill what has not ended after
3 to 30 s. This module does not know what a job does.
"""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import psutil

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}  # 128 and the signal's number
END_WITHIN_S = 20.0  # Slurm and Kubernetes wait for 30 s
REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "stopped by SIGTERM"}
KILLED_WITHIN_S = 3.0
STDERR = 2


class StopSignals:
    """While entered, the first signal interrupts the main thread; others do nothing.

    It comes as ``KeyboardInterrupt``: any other exception of a signal's handler is lost
    inside of Ray's calls.

    Args:
        remedy: how to go on; told at once.
        at_deadline: called in a thread if the job does not end in time, right before
            the process does.
    """

    def __init__(self, remedy: str, at_deadline: Callable[[], object]) -> None:
        self._remedy = remedy
        self._at_deadline = at_deadline
        self._received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._below: list[psutil.Process] = []
        self._has_looked = threading.Event()

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            self._woken, self._waker = socket.socketpair()
            self._waker.setblocking(False)
            # The bytes come even while the main thread is deep in a library's call.
            signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._watch, daemon=True).start()
            for number in EXIT_CODES:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        if self._received is not None:
            self._end_children()  # later signals do nothing, until the process has gone
        elif self._before:
            signal.set_wakeup_fd(-1)
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._waker.close()

    @property
    def has_come(self) -> bool:
        """Whether there was a signal."""
        return self._received is not None

    @property
    def exit_code(self) -> int:
        """Of a process that a signal ended."""
        return EXIT_CODES[self._received or signal.SIGINT]

    @property
    def reason(self) -> str:
        """What ended it, and how to go on."""
        return f"{REASONS[self._received or signal.SIGINT]}; {self._remedy}"

    def _receive(self, number: int, _: FrameType | None) -> None:
        if self._received is None:
            self._note(signal.Signals(number))
            raise KeyboardInterrupt

    def _note(self, number: signal.Signals) -> None:
        self._received = number
        # By the descriptor: the signal may have come in the middle of a write.
        os.write(STDERR, f"{self.reason}\n".encode())

    def _watch(self) -> None:
        """Wait for a signal, then for the deadline; in a thread of its own."""
        number = 0
        while number not in EXIT_CODES:
            received = self._woken.recv(1)
            if not received:
                self._woken.close()
                return
            number = received[0]
        self._below = psutil.Process().children(recursive=True)
        self._has_looked.set()
        threading.Event().wait(END_WITHIN_S)
        if self._received is None:
            self._note(signal.Signals(number))
        self._at_deadline()
        self._end_children()
        os._exit(self.exit_code)

    def _end_children(self) -> None:
        """Kill what an embedded Ray left; by itself it may take a minute to go."""
        self._has_looked.wait()
        for process in self._below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(self._below, timeout=KILLED_WITHIN_S)

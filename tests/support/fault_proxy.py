"""An HTTP proxy on loopback that answers a share of requests badly, for tests.

It stands in front of the S3 server and passes everything else on as it came (the Host
header too, which S3's signatures cover). This module knows HTTP only.
"""

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["500", "503", "slow", "reset", "truncated"]
FAULTS: tuple[Fault, ...] = ("500", "503", "slow", "reset", "truncated")

ERROR_CODES = {"500": "InternalError", "503": "SlowDown"}
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds


class FaultProxy:
    """A context in which ``endpoint_url`` leads to another server, badly.

    Args:
        target_url: the server behind, ``http://host:port``.
        share: part of the requests that get a fault, 0 to 1; may be set at any time.
        faults: what can go wrong, each as often as the others: an answer 500 or 503,
            ``slow`` (the right answer, late), ``reset`` (the connection, instead of an
            answer), ``truncated`` (half of the answer's body, then a reset).
        slow_s: how late a slow answer is (s).
        only: what a request's path must hold to get a fault.
        seed: of the choice; with one client thread the faults are always the same.
    """

    def __init__(
        self,
        target_url: str,
        share: float,
        faults: tuple[Fault, ...] = FAULTS,
        slow_s: float = 1.0,
        only: str = "",
        seed: int = 0,
    ) -> None:
        self.share = share
        self.slow_s = slow_s
        self.faults: Counter[str] = Counter()
        """Faults so far, by kind; ``total()`` sums them up."""

        self.num_requests = 0
        self.target = urlsplit(target_url).netloc
        self._kinds = faults
        self._only = only
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint_url(self) -> str:
        """Where clients shall send their requests."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_fault(self, path: str) -> Fault | None:
        """Draw what happens to the next request, and count it."""
        with self._lock:
            self.num_requests += 1
            if self._only not in path or self._random.random() >= self.share:
                return None
            fault = self._random.choice(self._kinds)
            self.faults[fault] += 1
            return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # clients keep connections open
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer takes 40 ms
    timeout = 60
    server: _Server

    def _answer(self) -> None:
        body = self._read_body()
        fault = self.server.proxy.next_fault(self.path)
        if fault == "reset":
            self._reset()
        elif fault in ERROR_CODES:
            self._send_error(int(fault or 0), ERROR_CODES[fault])
        else:
            self._forward(body, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _read_body(self) -> bytes:
        """Read a request's body as it is on the wire, the frames of chunks included."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lines = []
        size = -1
        while size != 0:
            lines.append(self.rfile.readline())
            size = int(lines[-1].partition(b";")[0], 16)
            lines.append(self.rfile.read(size))
            lines.append(self.rfile.readline())
        while lines[-1].strip():  # trailing headers
            lines.append(self.rfile.readline())
        return b"".join(lines)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        behind = http.client.HTTPConnection(self.server.proxy.target, timeout=60)
        with contextlib.closing(behind):
            behind.putrequest(self.command, self.path, True, True)
            for name, value in self.headers.items():
                behind.putheader(name, value)
            behind.endheaders(body)
            response = behind.getresponse()
            data = response.read()
        if fault == "slow":  # the answer; a request that came late would work late
            time.sleep(self.server.proxy.slow_s)
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        has_body = self.command != "HEAD"
        length = len(data) if has_body else response.headers.get("Content-Length", "0")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if fault == "truncated" else data)
        if fault == "truncated":
            self._reset()

    def _send_error(self, status: int, code: str) -> None:
        data = f"<Error><Code>{code}</Code><Message>by test</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Say nothing: ``FaultProxy.faults`` counts."""

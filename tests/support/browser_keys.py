"""A real browser that a test types into, by the protocol of Chromium's own tools."""

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
TIMEOUT_S = 300
CODES = {"Backspace": 8, " ": 32}


def find_browser() -> str | None:
    """A browser's program, if there is one here."""
    return os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )


@contextmanager
def running(program: str, folder: Path) -> Iterator[int]:
    """Run a browser; give the port that it listens at."""
    profile = folder / "profile"
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        deadline = time.monotonic() + TIMEOUT_S
        while not (port_file.exists() and port_file.read_text().strip()):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield int(port_file.read_text().split()[0])
    finally:
        process.kill()
        process.wait()


def type_into(port: int, page: Path, keys: Sequence[str], downloads: Path) -> list[str]:
    """Open a page, press keys, wait for a download after each S.

    Args:
        port: of the running browser.
        page: the page's file.
        keys: such as ``1``, ``Backspace``, ``s``.
        downloads: folder for what is saved.

    Returns:
        The text of the page's element ``state`` after each key.
    """
    return asyncio.run(asyncio.wait_for(_type(port, page, keys, downloads), TIMEOUT_S))


async def _type(
    port: int, page: Path, keys: Sequence[str], downloads: Path
) -> list[str]:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            targets = await answer.json()
        (url,) = [t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page"]
        async with session.ws_connect(url, max_msg_size=0) as socket:
            tab = _Tab(socket)
            await tab.call("Page.enable")
            await tab.call(
                "Browser.setDownloadBehavior",
                behavior="allow",
                downloadPath=str(downloads),
                eventsEnabled=True,
            )
            await tab.call("Page.navigate", url=page.as_uri())
            await tab.event("Page.loadEventFired")
            return [await tab.press(key) for key in keys]


class _Tab:
    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json(
            {"id": number, "method": method, "params": parameters}
        )
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._events.append(message)

    async def event(self, method: str, **expected: Any) -> None:
        while True:
            for message in self._events:
                found = message.get("params", {})
                if (
                    message.get("method") == method
                    and expected.items() <= found.items()
                ):
                    self._events.clear()
                    return
            self._events = [await self._socket.receive_json()]

    async def press(self, key: str) -> str:
        code = CODES.get(key, ord(key[0].upper()))
        for kind in ("rawKeyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
            )
        if key == "s":
            await self.event("Browser.downloadProgress", state="completed")
        found = await self.call(
            "Runtime.evaluate",
            expression="document.getElementById('state').textContent",
        )
        return str(found["result"]["value"])

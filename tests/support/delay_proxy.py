"""A proxy on loopback that passes every byte on, answers some milliseconds late.

    python tests/support/delay_proxy.py PORT_BEHIND DELAY_MS

prints its own port, and ends with its input. Requests go on at once; what is on its
way back overlaps, as in a network with that round-trip time. It knows nothing of what
passes.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

READ_BYTES = 1 << 16


@contextlib.contextmanager
def delayed(url: str, delay_ms: float) -> Iterator[str]:
    """Give a URL that leads to a server on loopback, late."""
    command = [sys.executable, __file__, str(urlsplit(url).port), str(delay_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due_s, data = await waiting.get()
            if delay_s:
                await asyncio.sleep(due_s - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    sending = asyncio.create_task(send())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(READ_BYTES):
            waiting.put_nowait((loop.time() + delay_s, data))
    waiting.put_nowait((loop.time() + delay_s, b""))
    with contextlib.suppress(ConnectionError):
        await sending


async def _serve(port_behind: int, delay_s: float) -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", port_behind)
        await asyncio.gather(
            _pass_on(reader, requests, 0), _pass_on(answers, writer, delay_s)
        )

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, os.read, 0, 1)
    os._exit(0)  # clients keep connections open


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))

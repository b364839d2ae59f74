"""TCP ports of 127.0.0.1 that lead to a server, each of which can freeze as a hung node does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CHUNK_BYTES = 65536
READY_SECONDS = 10.0


class Forwarder:
    """One port. `freeze()`: connections are still accepted, and nothing is passed on any more."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None

    def freeze(self) -> None:
        """From any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._flows.clear)

    async def listen(self) -> None:
        """Serve until the loop ends."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled at the end of the measurement, which is not worth a traceback for each connection.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._flows.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(sink):
            while data := await source.read(CHUNK_BYTES):
                await self._flows.wait()
                sink.write(data)
                await sink.drain()


@contextlib.contextmanager
def forwarding(target_ports: list[int]) -> Iterator[list[Forwarder]]:
    """A forwarder for each port, all in one thread, which has ended when the block has."""
    forwarders = [Forwarder(port) for port in target_ports]
    ready, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_forward(forwarders, ready, ended)), daemon=True)
    thread.start()
    try:
        if not ready.wait(READY_SECONDS):
            raise RuntimeError("the forwarders do not listen")
        yield forwarders
    finally:
        ended.set()
        thread.join()


async def _forward(forwarders: list[Forwarder], ready: threading.Event, ended: threading.Event) -> None:
    for one in forwarders:
        await one.listen()
    ready.set()
    await asyncio.to_thread(ended.wait)
    # asyncio.run cancels what still copies.

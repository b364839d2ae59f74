"""TCP ports of 127.0.0.1 that lead to a server, each of which can freeze as a hung node does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

CHUNK_BYTES = 65536


class Forwarder:
    """One port. `freeze()`: connections are still accepted, and nothing is passed on any more."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def freeze(self) -> None:
        """From any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._flows.clear)

    async def listen(self) -> asyncio.Server:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        with contextlib.suppress(OSError):
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
    """A forwarder for each port, all in one thread."""
    forwarders = [Forwarder(port) for port in target_ports]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        for one in forwarders:
            asyncio.run_coroutine_threadsafe(one.listen(), loop).result(10)
        yield forwarders
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

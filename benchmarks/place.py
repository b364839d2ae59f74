"""Where the measurements of one run happen: a folder, and the loaded server that several of them use."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.loaded_server import PARTS, TABLES, load
from benchmarks.progress import say
from tests.servers.embedded import EmbeddedServer


class Place:
    """Everything that was started here ends with the `stack`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self._loaded: EmbeddedServer | None = None
        self.loading_seconds = 0.0

    def loaded_server(self) -> EmbeddedServer:
        """ClickHouse with 2000 tables and 10 000 parts, filled when it is first asked for."""
        if self._loaded is None:
            server = EmbeddedServer(self.folder / "loaded")
            self.stack.callback(server.stop)
            say(f"starting ClickHouse and making {TABLES} tables with {PARTS} parts")
            began = time.monotonic()
            server.start()
            load(server)
            self.loading_seconds = time.monotonic() - began
            say(f"  made within {self.loading_seconds:.0f} s")
            self._loaded = server
        return self._loaded

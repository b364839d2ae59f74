"""The demo as users run it: `clustersight demo`, with an embedded ClickHouse, all processes and an inbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess

FREE_PORT = "127.0.0.1:0"
LISTENS = ("--listen", "--alerter-listen", "--api-listen", "--inbox-listen")
LISTEN_ON_FREE_PORTS = tuple(word for option in LISTENS for word in (option, FREE_PORT))
# Its children are stopped one after the other, each in up to 20 s.
STOP_SECONDS = 70.0


class DemoProcess(ServerProcess):
    """`zookeeper` is HOST:PORT, or empty."""

    def __init__(self, folder: Path, zookeeper: str = "") -> None:
        super().__init__(folder)
        self._zookeeper = zookeeper

    def command(self) -> Sequence[str]:
        return [
            *(sys.executable, "-m", "clustersight.commands.demo", "--json"),
            *("--path", str(self.state), *LISTEN_ON_FREE_PORTS),
            *("--zookeeper", self._zookeeper),
        ]

    def ready(self) -> bool:
        return bool(self.told)

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        super().stop(timeout_seconds)

    @property
    def state(self) -> Path:
        """Where its configuration, its data and the logs of its children are."""
        return self.folder / "demo"

    @property
    def told(self) -> dict[str, Any]:
        """What it prints once all runs: the URLs `exporter`, `alerter`, `api`, `inbox` and `clickhouse`."""
        lines = (self.folder / "output.log").read_text(encoding="utf-8").splitlines()
        return next((json.loads(line) for line in lines if line.startswith("{")), {})

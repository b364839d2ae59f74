"""The demo as users run it: `clustersight demo`, with an embedded ClickHouse, an exporter and an API."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.process import ServerProcess

FREE_PORT = "127.0.0.1:0"
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
            *("--path", str(self.state), "--listen", FREE_PORT, "--api-listen", FREE_PORT),
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
        """What it prints once all runs: the URLs `exporter`, `api` and `clickhouse`."""
        lines = (self.folder / "output.log").read_text(encoding="utf-8").splitlines()
        return next((json.loads(line) for line in lines if line.startswith("{")), {})

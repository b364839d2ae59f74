"""Alertmanager 0.25 of Debian, alone, with a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from tests.servers.process import ServerProcess, free_port, program

PACKAGE = "prometheus-alertmanager"


class Alertmanager(ServerProcess):
    """One server; `config` is what alertmanager.yml holds."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        super().__init__(folder)
        self.config = config
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        config = self.folder / "alertmanager.yml"
        # JSON is YAML.
        config.write_text(json.dumps(self.config, indent=2))
        return [
            program("prometheus-alertmanager", PACKAGE),
            f"--config.file={config}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]

    def ready(self) -> bool:
        return requests.get(f"{self.url}/-/ready", timeout=5).ok

    def post(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Tell it of alerts, as Prometheus does; raises requests.HTTPError when it refuses them."""
        requests.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=30).raise_for_status()

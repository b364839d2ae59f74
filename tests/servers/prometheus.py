"""Prometheus 2.42 of Debian with a scrape configuration, and promtool."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import requests

from tests.servers.process import ServerProcess, free_port, program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PACKAGE = "prometheus"


class Prometheus(ServerProcess):
    """One server; `config` is what prometheus.yml holds, and may be replaced before reload()."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        super().__init__(folder)
        self.config = config
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return [
            program("prometheus", PACKAGE),
            f"--config.file={self._write_config()}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ]

    def _write_config(self) -> Path:
        config = self.folder / "prometheus.yml"
        # JSON is YAML.
        config.write_text(json.dumps(self.config, indent=2))
        return config

    def ready(self) -> bool:
        return requests.get(f"{self.url}/-/ready", timeout=5).ok

    def reload(self) -> None:
        """Write the configuration again and have it read; raises requests.HTTPError when it is wrong."""
        self._write_config()
        requests.post(f"{self.url}/-/reload", timeout=30).raise_for_status()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the instant vector of an expression: [{"metric": {...}, "value": [time, "1"]}].

        Raises ServerAnswer with Prometheus' message for a wrong expression.
        """
        return self.get("query", query=expr)["result"]

    def get(self, path: str, **parameters: str) -> Any:
        """Return `data` of GET /api/v1/<path>; raises ServerAnswer."""
        answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30).json()
        if answer["status"] != "success":
            raise ServerAnswer(f"{answer['errorType']}: {answer['error']}")
        return answer["data"]


class ServerAnswer(Exception):
    """Prometheus refused a request."""


def promtool(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:  # noqa: A002
    """Run promtool with a text as its standard input; look at returncode, stdout and stderr."""
    return subprocess.run(
        [program("promtool", PACKAGE), *arguments],
        input=input,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )

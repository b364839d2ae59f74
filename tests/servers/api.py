"""The API as users run it: a process with a configuration file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.process import ServerProcess, wait_until

BASE = "/api/v1"


class ApiProcess(ServerProcess):
    """`config` is clustersight.yaml as data; the listener takes a free port, the store is its own."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(folder)
        self.environment = dict(environment or {})
        self.options = dict(options or {})
        self.file = folder / "clustersight.yaml"
        self.configure(config or {})

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the configuration; the process reads it at its start and at a reload."""
        content = {"data_dir": str(self.folder / "state"), **config}
        self.file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def command(self) -> Sequence[str]:
        self._url_file.unlink(missing_ok=True)
        return [
            *(sys.executable, "-P", "-m", "api", "--config", str(self.file)),
            *("--listen", "127.0.0.1:0", "--url-file", str(self._url_file)),
        ]

    def ready(self) -> bool:
        return self._url_file.exists() and self.ask("GET", "/-/healthy").ok

    @property
    def _url_file(self) -> Path:
        return self.folder / "url"

    @property
    def url(self) -> str:
        return self._url_file.read_text().strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request, with the options (TLS, headers) that the process was made with."""
        return requests.request(method, self.url + path, **{"timeout": 20, **self.options, **options})

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", BASE + path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.ask("POST", BASE + path, **options)

    def value(self, name: str, **labels: str) -> float | None:
        """The only series of this name at /metrics that has these labels; None where there is none."""
        page = self.ask("GET", "/metrics").text
        samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
        wanted = labels.items()
        found = [s.value for s in samples if s.name == name and wanted <= s.labels.items()]
        assert len(found) < 2, f"{name} {labels} is not one series but {len(found)}"
        return found[0] if found else None

    def wait_for(self, condition: Callable[[], object], what: str, timeout_seconds: float = 30) -> None:
        """Wait for something; fails with the API's log."""
        try:
            wait_until(condition, timeout_seconds, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

"""The exporter as users run it: a process with a configuration file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.process import ServerProcess, wait_until

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class ExporterProcess(ServerProcess):
    """`config` is clustersight.yaml as data; the listener takes a free port."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, scheme_options: Any = None) -> None:
        super().__init__(folder)
        self.file = folder / "clustersight.yaml"
        self.configure(config)
        self.options: dict[str, Any] = scheme_options or {}

    def configure(self, config: Mapping[str, Any]) -> None:
        """Write the configuration; the process reads it at its start and at a reload."""
        # A store of its own, unless the test says where: two exporters on one would wait for each other.
        content = {"data_dir": str(self.folder / "state"), **config}
        self.file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def command(self) -> Sequence[str]:
        self._url_file.unlink(missing_ok=True)
        return [
            *(sys.executable, "-P", "-m", "exporter", "--config", str(self.file)),
            *("--listen", "127.0.0.1:0", "--url-file", str(self._url_file)),
        ]

    def ready(self) -> bool:
        return self._url_file.exists()

    @property
    def url(self) -> str:
        return self._url_file.read_text().strip()

    @property
    def _url_file(self) -> Path:
        return self.folder / "url"

    def get(self, path: str, **headers: str) -> requests.Response:
        """GET a path, with the options (TLS, auth) that the process was made with."""
        return requests.get(self.url + path, headers=headers, timeout=10, **self.options)

    def wait_collected(self, timeout_seconds: float = 30) -> None:
        """Wait until every node was visited once and the page says so."""
        wait_until(lambda: self.get("/-/ready").ok, timeout_seconds, "the first visits are over")

    def series(self, path: str = "/metrics") -> Series:
        """Every series of the page; raises AssertionError where one stands twice."""
        found: Series = {}
        for family in text_string_to_metric_families(self.get(path).content.decode()):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in found, f"twice on the page: {key}"
                found[key] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float | None:
        """The only series of this name that has these labels; None where there is none."""
        wanted = set(labels.items())
        values = [v for (n, have), v in self.series().items() if n == name and wanted <= have]
        assert len(values) < 2, f"{name} {labels} is not one series but {len(values)}"
        return values[0] if values else None

    def wait_for(self, condition: Callable[[], object], what: str, timeout_seconds: float = 30) -> None:
        """Wait for something that the page will say; fails with the exporter's log."""
        try:
            wait_until(condition, timeout_seconds, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

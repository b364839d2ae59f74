"""A process of ours as users run it: with a configuration file, on a free port."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.servers.process import ServerProcess, wait_until


class OurProcess(ServerProcess):
    """`config` is clustersight.yaml as data; `options` are those of every request (TLS, headers)."""

    section = ""

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
        # A store of its own, unless the test says where: two exporters on one would wait for each other.
        content = {"data_dir": str(self.folder / "state"), **config}
        self.file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def command(self) -> Sequence[str]:
        self._url_file.unlink(missing_ok=True)
        return [
            *(sys.executable, "-P", "-m", self.section, "--config", str(self.file)),
            *("--listen", "127.0.0.1:0", "--url-file", str(self._url_file)),
        ]

    def ready(self) -> bool:
        return self._url_file.exists()

    @property
    def _url_file(self) -> Path:
        return self.folder / "url"

    @property
    def url(self) -> str:
        return self._url_file.read_text().strip()

    def wait_for(self, condition: Callable[[], object], what: str, timeout_seconds: float = 30) -> None:
        """Wait for something; fails with the process's log."""
        try:
            wait_until(condition, timeout_seconds, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

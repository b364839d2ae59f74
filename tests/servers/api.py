"""The API as users run it: a process with a configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from api.server import WORKERS
from tests.servers.ours import OurProcess

BASE = "/api/v1"


class ApiProcess(OurProcess):
    """`python -m api` with a store of its own, unless the test says where."""

    section = "api"

    def ready(self) -> bool:
        """One worker may answer before the others are there."""
        return super().ready() and len(self.workers()) == WORKERS and self.ask("GET", "/-/healthy").ok

    def workers(self) -> list[str]:
        """The process numbers of those that are there now."""
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()

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

"""The exporter as users run it: a process with a configuration file."""

from __future__ import annotations

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.ours import OurProcess
from tests.servers.process import wait_until

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class ExporterProcess(OurProcess):
    """`python -m exporter` with a store of its own, unless the test says where."""

    section = "exporter"

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

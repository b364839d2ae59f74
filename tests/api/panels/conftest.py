"""An API in this process over a store with clusters, real servers to ask, and exporters that write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clustersight.collection import Clock
from clustersight.effective import provision
from clustersight.settings.model import Settings
from clustersight.store.opening import Store, open_store
from tests.api.conftest import Client, Time
from tests.conftest import factory
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess

# As quick as the settings allow.
QUICK = {"interval_sec": 5, "timeout_sec": 4, "tier2_every": 2}


@dataclass
class Moving(Time):
    """The real time, which a test can put forward."""

    now: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: time.time() + self.now, lambda: time.monotonic() + self.now)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Callable[..., ExporterProcess]]:
    """A function that starts an exporter with a configuration."""
    yield from factory(ExporterProcess, tmp_path)


@dataclass
class Watching:
    """Starts what watches clusters: a client of the API, and exporters on the same store."""

    store_settings: dict[str, Any]
    stores: list[Store]
    exporter: Callable[..., ExporterProcess]

    def client(self, *clusters: dict[str, Any], provisioned: bool = True, **sections: Any) -> Client:
        """A client whose store holds these clusters."""
        content = {"collection": QUICK, **sections, **self.store_settings, "clusters": list(clusters)}
        settings = Settings.model_validate(content)
        self.stores.append(open_store(settings, {}))
        if provisioned:
            provision(settings, self.stores[-1], time.time(), complete=True)
        return Client(settings, self.stores[-1], Moving())

    def export(self, *clusters: dict[str, Any], **sections: Any) -> ExporterProcess:
        """An exporter that has visited every node and stored it."""
        content = {"collection": QUICK, **sections, **self.store_settings, "clusters": list(clusters)}
        started = self.exporter(content)
        started.wait_collected()
        started.wait_for(
            lambda: (
                (started.value("clustersight_exporter_visits_stored_total") or 0) >= 1
                and started.value("clickhouse_health_score") is not None
            ),
            "it is stored",
        )
        return started


@pytest.fixture
def watching(store_settings: dict[str, Any], exporter: Callable[..., ExporterProcess]) -> Iterator[Watching]:
    found = Watching(store_settings, [], exporter)
    yield found
    for store in found.stores:
        store.close()


def new(server: EmbeddedServer, name: str = "new", **more: Any) -> dict[str, Any]:
    """The configuration of a cluster of ClickHouse 26.9."""
    return {"name": name, "host": "127.0.0.1", "port": server.port, "protocol": "http", **more}


def old(server: ClickHouse18, name: str = "old", **more: Any) -> dict[str, Any]:
    """The configuration of a cluster of ClickHouse 18.16."""
    return {"name": name, "host": "127.0.0.1", "port": server.port, "protocol": "native", **more}

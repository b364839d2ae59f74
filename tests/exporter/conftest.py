from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import factory, running
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.postgresql import PostgreSQL


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Callable[..., ExporterProcess]]:
    """A function that starts an exporter with a configuration."""
    yield from factory(ExporterProcess, tmp_path)


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL that this test may stop."""
    server = PostgreSQL(tmp_path / "postgresql")
    try:
        with running(server):
            yield server
    finally:
        server.remove()


def old(server: ClickHouse18, name: str = "old", **more: Any) -> dict[str, Any]:
    """The configuration of a cluster of ClickHouse 18.16."""
    return {"name": name, "host": "127.0.0.1", "port": server.port, "protocol": "native", **more}


def new(server: EmbeddedServer, name: str = "new", **more: Any) -> dict[str, Any]:
    """The configuration of a cluster of ClickHouse 26.9."""
    return {"name": name, "host": "127.0.0.1", "port": server.port, "protocol": "http", **more}


# As quick as the settings allow: tests wait for conditions, and these bound how long.
QUICK = {"interval_sec": 5, "timeout_sec": 4}

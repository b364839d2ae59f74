from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from clustersight.commands.cluster import cluster
from clustersight.commands.scrape import scrape
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.process import wait_until

Run = Callable[..., Result]


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., list[str]]:
    """A function that writes a configuration and returns the option that names it."""

    def write(*clusters: dict[str, Any], **more: Any) -> list[str]:
        path = tmp_path / "clustersight.yaml"
        # JSON is YAML.
        path.write_text(json.dumps({"clusters": list(clusters), **more}))
        return ["--config", str(path)]

    return write


@pytest.fixture
def run(configured: Callable[..., list[str]]) -> Run:
    """A function that runs `cluster test NAME` on one cluster: run({…}, "--json")."""

    def invoke(settings: dict[str, Any], *options: str, name: str = "", **more: Any) -> Result:
        arguments = ["test", name or settings["name"], *configured(settings, **more), *options]
        return CliRunner().invoke(cluster, arguments)

    return invoke


@pytest.fixture
def run_scrape(configured: Callable[..., list[str]]) -> Run:
    """A function that runs `scrape NAME` on one cluster."""

    def invoke(settings: dict[str, Any], *options: str, name: str = "", **more: Any) -> Result:
        arguments = [name or settings["name"], *configured(settings, **more), *options]
        return CliRunner().invoke(scrape, arguments)

    return invoke


def native(port: int, **more: Any) -> dict[str, Any]:
    return {"name": "c", "host": "127.0.0.1", "port": port, "protocol": "native", **more}


def http(port: int, **more: Any) -> dict[str, Any]:
    return {"name": "c", "host": "127.0.0.1", "port": port, "protocol": "http", **more}


@pytest.fixture
def busy() -> Callable[[ClickHouse18], contextlib.AbstractContextManager[None]]:
    """A context in which one query runs on a server, and goes on running."""

    @contextlib.contextmanager
    def block(server: ClickHouse18) -> Iterator[None]:
        endless = "SELECT count() FROM system.numbers"
        client = Client("127.0.0.1", server.port)
        client.connection.connect()
        client.connection.send_query(endless, query_id="busy")
        client.connection.send_external_tables([])
        try:
            wait_until(lambda: _refuses(server), 20, "the server refuses queries")
            yield
        finally:
            client.disconnect()

    return block


def _refuses(server: ClickHouse18) -> bool:
    try:
        server.execute("SELECT 1")
    except ServerException as error:
        return bool(error.code == 202)
    return False

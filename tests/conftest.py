"""The servers that tests share. With pytest-xdist every worker has its own."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import clickhouse18
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import MissingPackage, ServerProcess
from tests.servers.prometheus import Prometheus
from tests.servers.zookeeper import ZooKeeper

pytest_plugins = ["tests.databases"]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def packages_needed() -> Iterator[None]:
    """Skip where a package is missing; in CI that is a failure, since nobody reads what was skipped."""
    try:
        yield
    except MissingPackage as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextlib.contextmanager
def running(server: ServerProcess) -> Iterator[None]:
    """Start a server and stop it at the end, also when it does not start."""
    try:
        with packages_needed():
            server.start()
        yield
    finally:
        server.stop()


@pytest.fixture(scope="session")
def servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def zookeeper(servers_folder: Path) -> Iterator[ZooKeeper]:
    """One ZooKeeper; a test that stops it starts it again."""
    server = ZooKeeper(servers_folder / "zookeeper")
    with running(server):
        yield server


@pytest.fixture(scope="session")
def replicas(servers_folder: Path, zookeeper: ZooKeeper) -> Iterator[list[ClickHouse18]]:
    """Two ClickHouse 18.16, the replicas of the one shard of the cluster `pair`."""
    servers = clickhouse18.replica_pair(servers_folder, [zookeeper.port])
    with running(servers[0]), running(servers[1]):
        yield servers


@pytest.fixture(scope="session")
def embedded(servers_folder: Path) -> Iterator[EmbeddedServer]:
    """One ClickHouse 26.9 over HTTP, without users; a test cleans up the tables it made."""
    server = EmbeddedServer(servers_folder / "embedded")
    with running(server):
        yield server


@pytest.fixture(scope="session")
def postgresql(servers_folder: Path) -> Iterator[PostgreSQL]:
    """One PostgreSQL 15; a test makes a database of its own, and starts the server again if it stops it."""
    server = PostgreSQL(servers_folder / "postgresql")
    try:
        with running(server):
            yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def certificates(servers_folder: Path) -> Certificates:
    return make_certificates(servers_folder / "certificates")


@pytest.fixture
def own_embedded(tmp_path: Path) -> Iterator[Callable[..., EmbeddedServer]]:
    """A function that starts a ClickHouse 26.9 of the test's own; it takes what EmbeddedServer takes."""
    yield from factory(EmbeddedServer, tmp_path)


@pytest.fixture
def own_clickhouse18(tmp_path: Path) -> Iterator[Callable[..., ClickHouse18]]:
    """A function that starts a ClickHouse 18.16 of the test's own; it takes what ClickHouse18 takes."""
    yield from factory(ClickHouse18, tmp_path)


@pytest.fixture
def own_zookeeper(tmp_path: Path) -> Iterator[Callable[..., ZooKeeper]]:
    """A function that starts a ZooKeeper of the test's own; it takes what ZooKeeper takes."""
    yield from factory(ZooKeeper, tmp_path)


@pytest.fixture
def own_prometheus(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """A function that starts a Prometheus of the test's own; it takes what Prometheus takes."""
    yield from factory(Prometheus, tmp_path)


def factory(kind: type[Any], folder: Path) -> Iterator[Callable[..., Any]]:
    with contextlib.ExitStack() as stack:
        started: list[ServerProcess] = []

        def start(*arguments: Any, **options: Any) -> Any:
            server = kind(folder / f"{kind.__name__.lower()}{len(started)}", *arguments, **options)
            started.append(server)
            stack.enter_context(running(server))
            return server

        yield start

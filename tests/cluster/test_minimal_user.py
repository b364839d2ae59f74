"""Every panel as the user that `clustersight cluster grants` prints, and what this user cannot do."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from clickhouse_driver.errors import ServerException

from clustersight.clickhouse import grants
from clustersight.clickhouse.connection import Address, Wire
from clustersight.collection import Collection
from clustersight.panels import ALL
from clustersight.panels.panel import Status
from tests.cluster import minimal_user
from tests.conftest import running
from tests.panels.tables import address_of
from tests.panels.visiting import visit
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import wait_until

# How long 18.16 takes to see a new file, and the engine to open its logs, is 2 s and 1 s.
SECONDS = 20.0
PASSWORD = "of the monitor"
# code 164: readonly forbids it; 452: a constraint of the profile does; 497: no grant; 396: too many rows.
REFUSED = {
    "INSERT INTO theirs.t VALUES (1)": 497,
    "SELECT a FROM theirs.t": 497,
    "CREATE TABLE theirs.u (a Int32) ENGINE = Memory": 497,
    "DROP TABLE theirs.t": 497,
    "SET readonly = 0": 164,
    "SELECT 1 SETTINGS max_execution_time = 0": 452,
    "SELECT 1 SETTINGS max_threads = 64": 452,
    "SELECT number FROM system.numbers LIMIT 300000": 396,
}


@dataclass(frozen=True)
class Twice:
    """One server, visited with all rights and as our user, which it has from then on."""

    server: EmbeddedServer
    free: Collection
    narrowed: Collection
    read: frozenset[str]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twice]:
    folder = tmp_path_factory.mktemp("minimal")
    users = folder / "users.xml"
    server = EmbeddedServer(folder / "server", fragment=f"<users_config>{users}</users_config>")
    users.write_text(minimal_user.users_file(narrowed=False))
    with running(server):
        _occupy(server)
        free = visit(address_of(server), *ALL)
        read = _read_tables(server)
        server.stop()
        users.write_text(minimal_user.users_file(narrowed=True))
        server.start()
        yield Twice(server, free, _visited(server, statuses(free)), read)


def _visited(server: EmbeddedServer, wanted: dict[str, Status]) -> Collection:
    """A visit as it should be, or the last one in time: a log has no table until something is in it."""
    found = visit(address_of(server), *ALL)
    ends = time.monotonic() + SECONDS
    while statuses(found) != wanted and time.monotonic() < ends:
        found = visit(address_of(server), *ALL)
    return found


def _occupy(server: EmbeddedServer) -> None:
    """A table with parts, a detached one, a mutation that fails, and something in query_log."""
    server.execute("CREATE DATABASE theirs")
    server.execute("CREATE TABLE theirs.t (a Int32) ENGINE = MergeTree ORDER BY a")
    for _ in range(2):
        server.execute("INSERT INTO theirs.t VALUES (1)")
    server.execute("ALTER TABLE theirs.t DELETE WHERE throwIf(1)", mutations_sync=0)


def _read_tables(server: EmbeddedServer) -> frozenset[str]:
    """The system tables that the visit has read, by ClickHouse's own account."""
    server.execute("SYSTEM FLUSH LOGS")
    rows = server.execute("SELECT DISTINCT arrayJoin(tables) FROM system.query_log WHERE type = 2")
    return frozenset(str(name).removeprefix("system.") for (name,) in rows if name.startswith("system."))


def statuses(found: Collection) -> dict[str, Status]:
    return {run.panel.name: run.status for run in found.runs}


def speaking(found: Collection) -> set[str]:
    return {run.panel.name for run in found.runs if run.samples}


def test_no_panel_is_denied_and_none_sees_less(twice: Twice) -> None:
    assert Status.ACCESS_DENIED not in statuses(twice.narrowed).values()
    assert statuses(twice.narrowed) == statuses(twice.free)
    assert speaking(twice.narrowed) == speaking(twice.free)
    assert {"parts", "mutations", "compression"} <= speaking(twice.narrowed)


def test_whatever_a_visit_reads_is_granted(twice: Twice) -> None:
    """The engine lets everyone read system tables, so what was read is compared with what is granted."""
    assert {"parts", "mutations", "errors", "metrics"} <= twice.read
    assert twice.read - minimal_user.granted_tables() - grants.FREE == set()


@pytest.mark.parametrize(("sql", "code"), REFUSED.items())
def test_it_cannot(twice: Twice, sql: str, code: int) -> None:
    with pytest.raises(EmbeddedError) as refused:
        twice.server.execute(sql)

    assert refused.value.code == code, str(refused.value)


@pytest.fixture
def monitored(replicas: list[ClickHouse18]) -> Iterator[Address]:
    """18.16 with the printed XML in users.d, which it reads again by itself."""
    server = replicas[0]
    printed = grants.users_xml(minimal_user.USER)
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    place = server.folder / "users.d" / "clustersight.xml"
    place.parent.mkdir()
    place.write_text(printed.replace(grants.PLACEHOLDER.strip("<>"), digest))
    try:
        wait_until(lambda: asked(server, "SELECT 1") == 0, SECONDS, "18.16 knows the user")
        yield replace(address_of(server), username=minimal_user.USER, password=PASSWORD)
    finally:
        _without(place)


def _without(place: Path) -> None:
    place.unlink()
    place.parent.rmdir()


def asked(server: ClickHouse18, sql: str) -> int:
    """The code of the exception; 0 where there is none."""
    try:
        server.execute(sql, user=minimal_user.USER, password=PASSWORD)
    except ServerException as error:
        return int(error.code)
    return 0


def test_the_oldest_version_with_the_printed_xml(monitored: Address, replicas: list[ClickHouse18]) -> None:
    assert monitored.wire is Wire.NATIVE
    found = statuses(visit(monitored, *ALL))

    assert found == statuses(visit(address_of(replicas[0]), *ALL))
    assert {found["parts"], found["replication"], found["server"]} == {Status.OK}
    assert asked(replicas[0], "CREATE DATABASE theirs") == 164
    assert asked(replicas[0], "SET readonly = 0") == 164

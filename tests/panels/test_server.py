"""The server panel, on ClickHouse 26.9 and 18.16."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error

from clustersight.clickhouse.connection import Address, Wire
from clustersight.panels import server_limits
from clustersight.panels.panel import Status
from clustersight.panels.server import PANEL, Row, samples
from tests.panels.replicated import native, replicated_table
from tests.panels.visiting import run, run_until, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

UPTIME = ("clickhouse_uptime_seconds",)
SKEW, OFFSET = ("clickhouse_clock_skew_seconds",), ("clickhouse_clock_offset_seconds",)
MEMORY = ("clickhouse_memory_usage_ratio",)
MEMORY_BYTES, MEMORY_LIMIT = ("clickhouse_memory_usage_bytes",), ("clickhouse_memory_limit_bytes",)
CONNECTED_TCP = ("clickhouse_connections", "tcp")
CONNECTIONS_USAGE = ("clickhouse_connections_usage_ratio",)
MERGE_POOL = ("clickhouse_merge_pool_saturation_ratio",)
DISTRIBUTED = ("clickhouse_interserver_errors_total", "distributed")
FETCH = ("clickhouse_interserver_errors_total", "fetch")
DATA_LOSS = ("clickhouse_replicated_data_loss_total",)
NOBODY = "SELECT * FROM remote('127.0.0.1:1', system, one)"


# The embedded engine lets every user read all of system, but not other places.
FORBIDDEN = (
    "SELECT name, 0 AS value FROM system.one, url('http://127.0.0.1:1/', 'LineAsString', 'name String')"
)


def http(server: EmbeddedServer, username: str = "default") -> Address:
    return Address("127.0.0.1", server.port, Wire.HTTP, username=username)


def a_row(**changed: object) -> Row:
    row = Row(
        version="26.9.2.1",
        uptime_seconds=100,
        clock_skew_seconds=0.5,
        memory_bytes=50.0,
        memory_limit_bytes=200.0,
        connections={"tcp": 3.0, "http": 1.0},
        max_connections=8.0,
        merge_pool_busy=4.0,
        merge_pool_size=16.0,
        interserver_errors={"distributed": 0.0, "fetch": 0.0},
        data_losses=0.0,
    )
    return dataclasses.replace(row, **changed)  # type: ignore[arg-type]


def sampled(row: Row) -> dict[tuple[str, ...], float]:
    return {(s.metric.name, *s.labels): s.value for s in samples([row])}


def test_a_new_server_is_measured_against_its_limits(own_embedded: Callable[..., EmbeddedServer]) -> None:
    memory = "<max_server_memory_usage>3000000000</max_server_memory_usage>"
    server = own_embedded(fragment=f"{memory}<max_connections>77</max_connections>")
    # Without a table there is no pool for merges yet.
    server.execute("CREATE TABLE default.t (a Int32) ENGINE = MergeTree ORDER BY a")
    found = run(http(server), PANEL)
    assert found.status is Status.OK, found.error
    known = values(found)
    assert known[MEMORY_LIMIT] == 3_000_000_000
    assert known[MEMORY] == known[MEMORY_BYTES] / 3_000_000_000
    assert found.rows[0].max_connections == 77
    assert known[CONNECTIONS_USAGE] == 0  # the embedded engine counts no connections
    assert known[MERGE_POOL] == 0
    assert abs(known[OFFSET]) == known[SKEW]


def test_an_old_server_says_no_limits(replicas: list[ClickHouse18]) -> None:
    found = run_until(native(replicas[0]), PANEL, lambda r: UPTIME in values(r))
    assert found.status is Status.OK, found.error
    known = values(found)
    assert known[UPTIME] > 0
    assert not {MEMORY, MEMORY_LIMIT, CONNECTIONS_USAGE, MERGE_POOL} & set(known)
    assert SKEW in known


@pytest.mark.parametrize("server", ["embedded", "replicas"])
def test_counters_are_there_before_they_count(server: str, request: pytest.FixtureRequest) -> None:
    fixture = request.getfixturevalue(server)
    known = values(run(native(fixture[0]) if server == "replicas" else http(fixture), PANEL))
    assert {DISTRIBUTED, FETCH, DATA_LOSS} <= set(known)


def test_a_user_with_readonly_1_may_ask_an_old_server(replicas: list[ClickHouse18]) -> None:
    address = dataclasses.replace(native(replicas[0]), username="readonly1")
    found = run(address, PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    assert MEMORY_BYTES in values(found)


def test_a_user_with_readonly_1_may_ask_a_new_server(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(user="admin", accounts=["watcher::1"])
    found = run(http(server, "watcher"), PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    assert MEMORY in values(found)


def test_where_limits_may_not_be_read_the_rest_is_known(
    own_embedded: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_limits, "SQL", FORBIDDEN)
    found = run(http(own_embedded(grants=["GRANT SELECT ON system.*"])), PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    assert MEMORY not in values(found)
    assert MEMORY_BYTES in values(found)


def test_open_connections_are_counted(replicas: list[ClickHouse18]) -> None:
    before = values(run(native(replicas[0]), PANEL))[CONNECTED_TCP]
    clients = [Client("127.0.0.1", replicas[0].port) for _ in range(3)]
    try:
        for client in clients:
            client.execute("SELECT 1")
        found = run_until(native(replicas[0]), PANEL, lambda r: values(r)[CONNECTED_TCP] >= before + 3)
        assert values(found)[CONNECTED_TCP] >= before + 3
    finally:
        for client in clients:
            client.disconnect()


@pytest.mark.parametrize("server", ["embedded", "replicas"])
def test_a_server_that_reaches_no_other_counts_it(server: str, request: pytest.FixtureRequest) -> None:
    fixture = request.getfixturevalue(server)
    address = native(fixture[0]) if server == "replicas" else http(fixture)
    asked = fixture[0] if server == "replicas" else fixture
    before = values(run(address, PANEL))[DISTRIBUTED]
    with contextlib.suppress(Error, EmbeddedError):
        asked.execute(NOBODY)
    assert values(run(address, PANEL))[DISTRIBUTED] == before + 1


def test_a_part_that_is_on_no_replica_any_more_is_lost(replicas: list[ClickHouse18]) -> None:
    address = native(replicas[1])
    with replicated_table(replicas) as table:
        before = values(run(address, PANEL))
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        replicas[0].execute(f"DROP TABLE {table.quoted}")
        replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")
        found = run_until(address, PANEL, lambda r: values(r)[DATA_LOSS] > before[DATA_LOSS], 60)
        replicas[0].execute(f"CREATE TABLE {table.database}.t (d Date) ENGINE = Memory")
    assert values(found)[DATA_LOSS] == before[DATA_LOSS] + 1


def test_a_part_that_cannot_be_fetched_is_an_error(replicas: list[ClickHouse18]) -> None:
    address = native(replicas[1])
    with replicated_table(replicas) as table:
        before = values(run(address, PANEL))
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        replicas[0].kill()
        try:
            replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")
            found = run_until(address, PANEL, lambda r: values(r)[FETCH] > before[FETCH])
        finally:
            replicas[0].start()
    assert values(found)[FETCH] > before[FETCH]


def test_an_uptime_of_0_is_no_value() -> None:
    assert UPTIME in sampled(a_row())
    assert UPTIME not in sampled(a_row(uptime_seconds=0))
    assert PANEL.payload([a_row(uptime_seconds=0)])[0]["uptime_seconds"] is None


def test_a_slow_clock_is_as_wrong_as_a_fast_one() -> None:
    known = sampled(a_row(clock_skew_seconds=-600.0))
    assert (known[SKEW], known[OFFSET]) == (600, -600)
    assert PANEL.payload([a_row(clock_skew_seconds=-600.0)])[0]["clock_skew_seconds"] == -600


def test_what_is_unknown_is_absent() -> None:
    limits: dict[str, None] = dict.fromkeys(("memory_limit_bytes", "max_connections"))
    known = sampled(a_row(clock_skew_seconds=None, merge_pool_size=0.0, **limits))
    assert not {SKEW, OFFSET, MEMORY, MEMORY_LIMIT, CONNECTIONS_USAGE, MERGE_POOL} & set(known)
    assert known[MEMORY_BYTES] == 50


def test_shares_are_of_their_limits() -> None:
    known = sampled(a_row())
    assert (known[MEMORY], known[CONNECTIONS_USAGE], known[MERGE_POOL]) == (0.25, 0.5, 0.25)
    shown = PANEL.payload([a_row()])[0]
    assert (shown["memory_usage_pct"], shown["connections_pct"]) == (25.0, 50.0)
    assert shown["merge_pool_saturation_pct"] == 25.0

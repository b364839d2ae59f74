"""Whole visits on servers that have a bad day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from clickhouse_connect.driver.httputil import all_managers

from clustersight.clickhouse.connection import Address, Wire
from clustersight.panels import ALL, server
from clustersight.panels.panel import Status
from tests.panels.visiting import visit
from tests.servers.clickhouse18 import ClickHouse18, Options
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import SlowPath
from tests.servers.process import wait_until

TABLES = 5000


def test_a_server_that_refuses_for_overload_is_up(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18(
        Options(config={"max_concurrent_queries": 1}, profile={"queue_max_wait_ms": 100, "log_queries": 0})
    )
    busy = threading.Thread(target=lambda: server.execute("SELECT sleep(3), sleep(3), sleep(3)"), daemon=True)
    busy.start()
    address = Address("127.0.0.1", server.port, Wire.NATIVE)

    visited = [visit(address, *ALL)]

    def refused() -> bool:
        visited.append(visit(address, *ALL))
        return visited[-1].runs[0].status is Status.REFUSED

    wait_until(refused, 8, "the server refuses")
    busy.join()

    assert visited[-1].up
    per_node = [run for run in visited[-1].runs if not run.panel.survives_node]
    assert {run.status for run in per_node} == {Status.REFUSED}


def test_a_slow_network_does_not_stretch_a_visit(replicas: list[ClickHouse18]) -> None:
    """Each answer is in time, but what a server can is several questions: together they are not."""
    with SlowPath(replicas[0].port, delay_seconds=0.4) as path:
        visited = visit(Address("127.0.0.1", path.port, Wire.NATIVE), *ALL, deadline_seconds=3.0)

    per_node = [run for run in visited.runs if not run.panel.survives_node]
    assert visited.up  # it greeted us
    assert {run.status for run in per_node} == {Status.TIMEOUT}


def test_failed_visits_leave_no_pool_behind() -> None:
    before = len(all_managers)
    for _ in range(20):
        visit(Address("127.0.0.1", 1, Wire.HTTP), server.PANEL)

    assert len(all_managers) == before


def test_five_thousand_tables_are_no_reason_for_a_timeout(
    own_embedded: Callable[..., EmbeddedServer],
) -> None:
    server = own_embedded()

    def create(thread: int) -> None:
        for n in range(thread, TABLES, 4):
            server.execute(f"CREATE TABLE default.t{n} (x UInt8) ENGINE = MergeTree ORDER BY x")
            if n % 10 == 0:
                server.execute(f"INSERT INTO default.t{n} VALUES (1)")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(4)))

    visited = visit(Address("127.0.0.1", server.port, Wire.HTTP), *ALL)

    assert {run.status for run in visited.runs} <= {Status.OK, Status.UNSUPPORTED}
    totals = {s.metric.name: s.value for run in visited.runs for s in run.samples if not s.labels}
    assert totals["clickhouse_tables"] >= TABLES

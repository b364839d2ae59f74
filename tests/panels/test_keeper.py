"""The keeper panel, on ClickHouse 18.16 whose ZooKeeper is well, killed, hung or not there at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Address, Result, Wire
from clustersight.clickhouse.errors import AccessDenied, ClickHouseError, Refused, from_server
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan, Watch
from clustersight.panels.keeper import PANEL, SQL_CONNECTION, KeeperStatus
from clustersight.panels.panel import Context, Status
from clustersight.panels.replicas import Replica
from clustersight.panels.server import PANEL as SERVER
from tests.panels.replicated import native, replicated_table
from tests.panels.visiting import CLOCK, run, run_until, values, watching
from tests.servers.clickhouse18 import Options
from tests.servers.process import wait_until

ONLINE = ("clickhouse_keeper_online",)
SQL_OURS = """
SELECT count() FROM system.processes
WHERE query LIKE '%system.zookeeper%' AND query NOT LIKE '%system.processes%'
"""


def visited(watch: Watch) -> PanelRun:
    return collect(watch, Plan([PANEL, SERVER]), CLOCK).runs[-1]


def state(panel_run: PanelRun) -> str | None:
    return str(panel_run.rows[0].status) if panel_run.rows else None


def over_http(server: Any) -> Address:
    return Address("127.0.0.1", server.port, Wire.HTTP)


def test_a_server_whose_keeper_answers_is_online(replicas: list) -> None:
    found = run(native(replicas[0]), PANEL)
    assert (found.status, state(found)) == (Status.OK, "ONLINE"), found
    assert values(found)[ONLINE] == 1
    assert PANEL.payload(found.rows)[0]["last_error"] == ""


def test_a_server_without_keeper_has_no_value(own_clickhouse18: Callable[..., Any]) -> None:
    found = run(native(own_clickhouse18()), PANEL)
    assert (found.status, state(found)) == (Status.OK, "NOT_CONFIGURED"), found
    assert values(found) == {}


def test_the_embedded_engine_without_keeper_has_no_value(embedded: Any) -> None:
    found = run(over_http(embedded), PANEL)
    assert (found.status, state(found)) == (Status.OK, "NOT_CONFIGURED"), found
    assert values(found) == {}


def test_a_refused_question_is_an_answer(
    own_zookeeper: Callable[..., Any], own_clickhouse18: Callable[..., Any]
) -> None:
    """No replica tells anything here: Keeper itself must be asked, and its failure is no failed panel."""
    keeper = own_zookeeper()
    server = own_clickhouse18(Options(zookeeper=[keeper.port]))
    assert values(run(native(server), PANEL))[ONLINE] == 1
    keeper.kill()
    found = run_until(native(server), PANEL, lambda r: values(r).get(ONLINE) == 0)
    assert (found.status, state(found)) == (Status.OK, "OFFLINE"), found
    assert found.rows[0].last_error
    keeper.start()
    back = run_until(native(server), PANEL, lambda r: values(r).get(ONLINE) == 1)
    assert state(back) == "ONLINE"


def test_a_hung_keeper_is_offline_and_never_holds_more_than_one_query(
    own_zookeeper: Callable[..., Any], own_clickhouse18: Callable[..., Any]
) -> None:
    """Facts 1.1: each probe of a naive monitor would stay on the server, until it refuses everyone."""
    keeper = own_zookeeper()
    server = own_clickhouse18(Options(zookeeper=[keeper.port]))
    watch = watching(native(server))
    try:
        assert state(visited(watch)) == "ONLINE"
        keeper.pause()
        waiting = []
        for _ in range(5):
            found = visited(watch)
            assert (found.status, state(found)) == (Status.OK, "OFFLINE"), found
            assert values(found)[ONLINE] == 0
            waiting.append(server.execute(SQL_OURS)[0][0])
        # 1 at first, and that it is seen at all proves that the count finds our queries.
        assert max(waiting) == 1, waiting
        keeper.resume()
        wait_until(lambda: state(visited(watch)) == "ONLINE", 60, "Keeper is online again")
    finally:
        keeper.resume()
        watch.close()


def test_where_replicas_say_that_the_session_is_lost_keeper_is_not_asked(
    replicas: list, zookeeper: Any
) -> None:
    address = native(replicas[0])
    with replicated_table(replicas):
        zookeeper.pause()
        try:
            lost = run_until(address, PANEL, lambda r: "expired" in r.rows[0].last_error, 60)
            again = run(address, PANEL)
        finally:
            zookeeper.resume()
        assert (again.status, state(again)) == (Status.OK, "OFFLINE"), again
        assert values(again)[ONLINE] == 0
        assert again.queries == 1, lost
        back = run_until(address, PANEL, lambda r: values(r).get(ONLINE) == 1, 60)
        assert state(back) == "ONLINE"


def test_a_new_server_tells_a_lost_keeper_by_its_counters(
    own_zookeeper: Callable[..., Any], own_embedded: Callable[..., Any]
) -> None:
    """26.9 embedded has no table to ask Keeper through; its metric says since when it is lost."""
    keeper = own_zookeeper()
    server = own_embedded(zookeeper=keeper.address)
    server.execute(
        "CREATE TABLE default.r (a Int32) ENGINE = ReplicatedMergeTree('/tables/r', 'e') ORDER BY a"
    )
    keeper.kill()
    by_replica = run_until(over_http(server), PANEL, lambda r: "expired" in r.rows[0].last_error)
    assert (by_replica.status, state(by_replica)) == (Status.OK, "OFFLINE"), by_replica
    server.execute("DETACH TABLE default.r")
    by_metric = run_until(over_http(server), PANEL, lambda r: "connection" in r.rows[0].last_error)
    assert (by_metric.status, state(by_metric)) == (Status.OK, "OFFLINE"), by_metric


def on_new_server(answer: Result | ClickHouseError, replicas: int = 0) -> Context:
    """What a server says that has system.zookeeper_connection, which no server here has."""

    def keeper_query(sql: str, **_values: Any) -> Result:
        assert sql == SQL_CONNECTION
        if isinstance(answer, ClickHouseError):
            raise answer
        return answer

    def query(sql: str, **_values: Any) -> Result:
        if "system.replicas" in sql:
            return replicas_without_fault(replicas)
        return Result(("source", "name", "value"), [])

    columns = {"zookeeper_connection": frozenset({"host"}), "zookeeper": frozenset({"name"})}
    able = Capabilities("26.9.2.1", "h", 1, 0, True, columns)
    return Context(query, keeper_query, able, "default", 0.0)


def replicas_without_fault(count: int) -> Result:
    names = tuple(field.name for field in dataclasses.fields(Replica))
    row = tuple("" if field.type == "str" else 0 for field in dataclasses.fields(Replica))
    return Result(names, [row] * count)


def connection(*rows: tuple[Any, ...]) -> Result:
    return Result(("host", "port", "is_expired", "session_uptime_seconds"), list(rows))


def test_a_new_server_names_the_node_it_is_connected_to() -> None:
    rows = PANEL.probe(on_new_server(connection(("keeper1", 9181, 0, 77))))
    assert PANEL.payload(rows) == [
        {
            "status": "ONLINE",
            "session_uptime_seconds": 77,
            "connected_to": "keeper1:9181",
            "last_error": "",
        }
    ]
    assert [(s.metric.name, s.value) for s in PANEL.samples(rows)] == [
        ("clickhouse_keeper_online", 1),
        ("clickhouse_keeper_session_uptime_seconds", 77),
    ]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (connection(), KeeperStatus.OFFLINE),
        (connection(("keeper1", 9181, 1, 77)), KeeperStatus.OFFLINE),
        (from_server(999, "Coordination::Exception: Connection loss"), KeeperStatus.OFFLINE),
        (from_server(159, "Timeout exceeded"), KeeperStatus.OFFLINE),
        (from_server(225, "No ZooKeeper in configuration"), KeeperStatus.NOT_CONFIGURED),
        (from_server(139, "No elements in config"), KeeperStatus.NOT_CONFIGURED),
    ],
)
def test_every_failure_of_the_question_is_a_status(
    answer: Result | ClickHouseError, status: KeeperStatus
) -> None:
    assert PANEL.probe(on_new_server(answer))[0].status is status


def test_a_missing_grant_is_no_lost_keeper() -> None:
    denied = from_server(497, "Not enough privileges")
    with pytest.raises(AccessDenied):
        PANEL.probe(on_new_server(denied))
    assert PANEL.probe(on_new_server(denied, replicas=3))[0].status is KeeperStatus.ONLINE


def test_an_overloaded_server_says_nothing_of_keeper() -> None:
    with pytest.raises(Refused):
        PANEL.probe(on_new_server(from_server(202, "Too many simultaneous queries")))

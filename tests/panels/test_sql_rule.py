"""A rule's SELECT on real servers: what arrives, what is refused, and that nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from clustersight.clickhouse.connection import Address, Result, Wire
from clustersight.clickhouse.errors import QueryFailed
from clustersight.collection import PanelRun
from clustersight.panels import disk, server
from clustersight.panels.panel import Panel, Status
from clustersight.panels.sql_rule import MAX_LABEL, MAX_ROWS, panel_of, plain_samples, rows_of
from tests.panels.visiting import run, visit
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

NAME = "rule:Mine"


@dataclass(frozen=True)
class Asked:
    """A server, and how to ask it behind our back."""

    address: Address
    execute: Callable[[str], list[Any]]


@pytest.fixture(params=["new", "old"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    """ClickHouse 26.9 over HTTP and 18.16 over its own protocol, with a table `rules.t`."""
    if request.param == "new":
        embedded: EmbeddedServer = request.getfixturevalue("embedded")
        found = Asked(Address("127.0.0.1", embedded.port, Wire.HTTP), embedded.execute)
    else:
        replicas: list[ClickHouse18] = request.getfixturevalue("replicas")
        found = Asked(Address("127.0.0.1", replicas[0].port, Wire.NATIVE), replicas[0].execute)
    found.execute("CREATE DATABASE rules")
    found.execute("CREATE TABLE rules.t (name String, x Nullable(Float64)) ENGINE = Memory")
    for row in ("'a', 1.5", "'b', 2", "'none', NULL"):  # the native protocol would wait for VALUES
        found.execute(f"INSERT INTO rules.t SELECT {row}")
    yield found
    found.execute("DROP DATABASE rules")


def mine(sql: str) -> Panel:
    return panel_of(NAME, sql, on_each=True)


def test_values_and_labels_arrive(asked: Asked) -> None:
    sql = "SELECT name, toUInt8(7) AS n, x AS value FROM rules.t ORDER BY name; -- mine"
    found = run(asked.address, mine(sql))

    assert (found.status, found.error) == (Status.OK, "")
    assert plain_samples(NAME, found.rows) == [
        [NAME, {"name": "a", "n": "7"}, 1.5],
        [NAME, {"name": "b", "n": "7"}, 2.0],
    ]
    assert found.panel.payload(found.rows)[0] == {"name": "a", "n": "7", "value": 1.5}
    assert found.panel.row_of(found.rows, {"name": "b", "n": "7", "host": "h"}) == found.rows[1]
    assert found.samples == ()


def test_no_rows_are_an_answer(asked: Asked) -> None:
    found = run(asked.address, mine("SELECT name, x AS value FROM rules.t WHERE name = 'no one'"))

    assert (found.status, list(found.rows)) == (Status.OK, [])


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 AS val", "returns no column value: add AS value"),
        ("SELECT 'text' AS value", "value is no number"),
        ("SELECT now() AS value", "value is no number"),
        ("SELECT 1 / 0 AS value", "divide by nullIf"),
        ("SELECT number AS value FROM system.numbers LIMIT 2", "several rows without labels"),
        ("SELECT 'same' AS a, number AS value FROM system.numbers LIMIT 2", "GROUP BY a"),
        ("SELECT toString(number) AS a, number AS value FROM system.numbers LIMIT 10001", "more than 10000"),
        ("SELECT toString(number) AS a, number AS value FROM system.numbers", "more than 10000"),
        ("SELECT 1 AS value FROM rules.nowhere", ""),
        ("SELECT nothing AS value FROM rules.t", ""),
        ("SELECT 1 AS value WHERE", ""),
        ("SELECT 1 AS value; DROP TABLE rules.t", "more than one statement"),
        ("INSERT INTO rules.t SELECT 'x', 1", "must be a SELECT"),
        ("SELECT name, x AS value FROM rules.t FORMAT JSON", "it has FORMAT"),
        ("SELECT 1 AS value SETTINGS max_execution_time = 0", "it has SETTINGS"),
        ("SELECT 1 AS value FROM url('http://127.0.0.1:1/', 'CSV', 'x String')", "it calls url"),
    ],
)
def test_bad_sql_is_an_error_that_says_what_to_do(asked: Asked, sql: str, message: str) -> None:
    found = run(asked.address, mine(sql))

    assert found.status is Status.ERROR, found
    assert message in found.error
    assert found.error
    assert "bug in panel" not in found.error
    assert [tuple(row) for row in asked.execute("SELECT count() FROM rules.t")] == [(3,)]


@pytest.mark.parametrize("secret", ["hunter2"])
def test_an_error_holds_no_value_of_a_customer(asked: Asked, secret: str) -> None:
    found = run(asked.address, mine(f"SELECT toUInt8('{secret}') AS value"))

    assert found.status is Status.ERROR
    assert secret not in found.error


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO rules.t SELECT 'x', 1",
        "CREATE TABLE rules.u (x UInt8) ENGINE = Memory",
        "DROP TABLE rules.t",
    ],
)
def test_the_server_refuses_to_write_also_what_was_not_judged(asked: Asked, statement: str) -> None:
    def write(context: Any) -> list[Any]:
        context.statement(statement, {}, asks_keeper=False)
        return []

    panel = Panel(name=NAME, about="", probe=write, samples=lambda _: (), metrics=(), of_user=True)
    found = run(asked.address, panel)

    assert found.status is Status.ERROR
    assert "readonly" in found.error.lower()
    assert [tuple(row) for row in asked.execute("SELECT count() FROM rules.t")] == [(3,)]


@pytest.mark.parametrize("user", ["readonly1", "readonly2"])
def test_a_read_only_user_may_run_rules(replicas: list[ClickHouse18], user: str) -> None:
    address = Address("127.0.0.1", replicas[0].port, Wire.NATIVE, username=user)

    found = run(address, mine("SELECT 'a' AS label, 1 AS value"))
    endless = run(address, mine("SELECT toString(number) AS a, number AS value FROM system.numbers"))

    assert plain_samples(NAME, found.rows) == [[NAME, {"label": "a"}, 1.0]]
    assert (endless.status, "more than" in endless.error) == (Status.ERROR, True)


def test_a_missing_grant_is_access_denied_with_the_grant(own_embedded: Callable[..., EmbeddedServer]) -> None:
    # The embedded engine lets everyone read system tables.
    grants = ["SELECT, INSERT ON system.*", "CREATE TABLE ON default.*", "TABLE ENGINE ON *", "READ ON FILE"]
    granted = own_embedded(grants=[f"GRANT {one}" for one in grants])
    granted.execute("CREATE TABLE default.t (a Int8) ENGINE = Memory")

    found = run(Address("127.0.0.1", granted.port, Wire.HTTP), mine("SELECT a AS value FROM default.t"))

    assert found.status is Status.ACCESS_DENIED, found
    assert found.error == "the rule needs: GRANT SELECT ON default.t TO `default`"


def test_a_slow_rule_times_out_and_hides_no_neighbour(asked: Asked) -> None:
    slow = mine("SELECT sum(cityHash64(number)) AS value FROM (SELECT number FROM system.numbers)")
    other = panel_of("rule:Other", "SELECT 2 AS value", on_each=True)

    found = visit(asked.address, slow, server.PANEL, other, timeouts_seconds={NAME: 1.0})

    statuses = {one.panel.name: one.status for one in found.runs}
    assert statuses == {server.NAME: Status.OK, NAME: Status.TIMEOUT, "rule:Other": Status.OK}


def test_rules_run_after_all_others(embedded: EmbeddedServer) -> None:
    keeper = panel_of("rule:Keeper", "SELECT count() AS value FROM system.zookeeper", on_each=True)
    address = Address("127.0.0.1", embedded.port, Wire.HTTP)

    found = visit(address, keeper, mine("SELECT 1 AS value"), disk.PANEL)

    assert [one.panel.name for one in found.runs] == ["disk", NAME, "rule:Keeper"]
    assert keeper.asks_keeper
    assert found.runs[2].status is Status.ERROR  # this server has no Keeper, and no such table


def test_a_rule_can_ask_keeper(replicas: list[ClickHouse18]) -> None:
    address = Address("127.0.0.1", replicas[0].port, Wire.NATIVE)

    found: PanelRun = run(address, mine("SELECT count() AS value FROM system.zookeeper WHERE path = '/'"))

    assert found.status is Status.OK, found
    assert found.rows[0].value > 0


def test_what_cannot_be_compared_is_left_out_and_texts_are_cut() -> None:
    cells: list[tuple[Any, ...]] = [("nan", float("nan")), (None, 1), (True, 2), ("x" * 2000, 3)]
    found = rows_of(Result(("label", "value"), cells))

    assert [row.labels[0][1] for row in found] == ["", "true", "x" * (MAX_LABEL - 1) + "…"]


def test_two_columns_of_one_name_are_an_error() -> None:
    with pytest.raises(QueryFailed, match="two columns a: rename one"):
        rows_of(Result(("a", "a", "value"), [("x", "y", 1)]))


def test_as_many_rows_as_are_allowed_are_taken() -> None:
    cells: list[tuple[Any, ...]] = [(str(n), n) for n in range(MAX_ROWS)]
    assert len(rows_of(Result(("label", "value"), cells))) == MAX_ROWS

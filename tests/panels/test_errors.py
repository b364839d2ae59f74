"""The errors panel, on a ClickHouse 26.9 that is made to fail; 18.16 has no system.errors."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.collection import PanelRun
from clustersight.panels.errors import CURATED, PANEL, Row, samples
from clustersight.panels.panel import Status
from tests.panels.replicated import native
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

TOTAL = "clickhouse_errors_total"
REFUSED = "clickhouse_queries_refused_total"
THROW_IF = "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"


def errors_of(server: EmbeddedServer) -> PanelRun:
    found = run(Address("127.0.0.1", server.port, Wire.HTTP), PANEL)
    assert found.status is Status.OK, found.error
    return found


def fail(server: EmbeddedServer, sql: str) -> None:
    with contextlib.suppress(EmbeddedError):
        server.execute(sql)


def a_row(error: str, error_code: int, total: int, last_at: int = 0, message: str = "") -> Row:
    return Row(error, error_code, total, last_at, message)


def test_a_failing_query_raises_its_error_by_one(embedded: EmbeddedServer) -> None:
    before = values(errors_of(embedded)).get((TOTAL, THROW_IF), 0)
    fail(embedded, "SELECT throwIf(1)")
    found = errors_of(embedded)
    assert values(found)[TOTAL, THROW_IF] == before + 1
    row = PANEL.row_of(found.rows, {"error": THROW_IF})
    assert row is not None
    assert (row.error, row.error_code, row.total) == (THROW_IF, 395, before + 1)


def test_errors_of_other_servers_are_not_counted(
    embedded: EmbeddedServer, replicas: list[ClickHouse18]
) -> None:
    fail(embedded, f"SELECT * FROM remote('127.0.0.1:{replicas[0].port}', system, one)")
    [[name]] = embedded.execute("SELECT name FROM system.errors WHERE remote AND value > 0 LIMIT 1")
    [[own]] = embedded.execute(f"SELECT sum(value) FROM system.errors WHERE name = '{name}' AND NOT remote")
    assert values(errors_of(embedded)).get((TOTAL, name), 0) == own


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("SELECT throwIf(1, 'private <!channel>')", THROW_IF, "(the query's own text)"),
        ("SELECT toUInt8('private')", "CANNOT_PARSE_TEXT", "Cannot parse string …"),
        ("SELECT * FROM no_such WHERE a = 'private' OR b = 55512345", "UNKNOWN_TABLE", "Unknown table"),
    ],
)
def test_customers_values_are_left_out(
    embedded: EmbeddedServer, query: str, error: str, message: str
) -> None:
    fail(embedded, query)
    found = errors_of(embedded)
    shown = next(r for r in PANEL.payload(found.rows) if r["name"] == error)
    assert shown["last_error_message"].startswith(message)
    assert "private" not in str(found.rows)
    assert "55512345" not in str(found.rows)


def test_critical_errors_are_there_before_they_happen(own_embedded: Callable[..., EmbeddedServer]) -> None:
    """The names are those of the server; system_events_show_zero_values shows them all."""
    server = own_embedded()
    found = values(errors_of(server))
    assert {labels[1] for labels in found if labels[0] == TOTAL} == set(CURATED.values())
    assert set(found.values()) == {0}
    named = dict(
        server.execute("SELECT DISTINCT code, name FROM system.errors", system_events_show_zero_values=1)
    )
    assert {code: named.get(code) for code in CURATED} == CURATED


def test_an_old_server_has_no_errors(replicas: list[ClickHouse18]) -> None:
    assert run(native(replicas[0]), PANEL).status is Status.UNSUPPORTED


def test_refused_queries_are_summed_up() -> None:
    rows = [
        a_row("TOO_MANY_SIMULTANEOUS_QUERIES", 202, 3),
        a_row("SERVER_OVERLOADED", 745, 2),
        a_row("UNKNOWN_TABLE", 60, 7),
    ]
    found = {(s.metric.name, *s.labels): s.value for s in samples(rows)}
    assert found[REFUSED,] == 5
    assert found[TOTAL, "UNKNOWN_TABLE"] == 7
    assert found[TOTAL, "CORRUPTED_DATA"] == 0
    assert len(found) == len(list(samples(rows)))


def test_the_payload_is_that_of_the_api() -> None:
    row = a_row("CORRUPTED_DATA", 246, 4, 1_700_000_000, "broken")
    assert PANEL.payload([row]) == [
        {
            "name": "CORRUPTED_DATA",
            "code": 246,
            "count_in_range": None,
            "total": 4,
            "last_error_time": "2023-11-14T22:13:20Z",
            "last_error_message": "broken",
            "remote": False,
            "is_critical": True,
        }
    ]


@pytest.mark.parametrize(("code", "critical"), [(241, True), (40, True), (210, False), (202, False)])
def test_what_every_lost_client_causes_is_not_critical(code: int, critical: bool) -> None:
    assert PANEL.payload([a_row("X", code, 1)])[0]["is_critical"] is critical


def test_an_error_without_a_time_has_none() -> None:
    assert PANEL.payload([a_row("X", 1, 1)])[0]["last_error_time"] is None

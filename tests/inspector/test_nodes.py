"""Several nodes at once: which answered, which did not, and what is too expensive."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable

import pytest

from clustersight.clickhouse.errors import AccessDenied, ClickHouseError, TimedOut, Unreachable
from clustersight.clickhouse.session import Session
from clustersight.inspector import failed as failed_queries
from clustersight.inspector.errors import QueryLogUnavailable, TooExpensive
from clustersight.inspector.failed import failed
from clustersight.inspector.nodes import Deadline
from clustersight.inspector.parts_distribution import parts_distribution
from clustersight.inspector.slow import slow
from clustersight.panels.panel import Status
from tests.inspector.asking import address, sessions, wait_for, write_log
from tests.panels.test_server import FORBIDDEN
from tests.servers.clickhouse18 import ClickHouse18, Options
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import free_port


def dead(server: ClickHouse18) -> Session:
    return Session(dataclasses.replace(address(server), port=free_port()))


def test_a_node_that_is_down_is_named(replicas: list[ClickHouse18]) -> None:
    write_log(replicas[0], "someone", "SELECT 1", 5)
    with sessions(replicas[0]) as opened:
        both = {**opened, "gone": dead(replicas[0])}
        for found in (
            slow(both, hours=1, limit=5),
            failed(both, hours=1, limit=5),
            parts_distribution(both, limit=5),
        ):
            assert found.nodes == {"node0": Status.OK, "gone": Status.ERROR}
            assert list(found.errors) == ["gone"]
            assert found.meta["node_errors"] == found.errors
        assert slow(both, hours=1, limit=5).rows


def test_no_node_at_all(replicas: list[ClickHouse18]) -> None:
    with pytest.raises(Unreachable):
        slow({"gone": dead(replicas[0])}, hours=1, limit=5)
    with pytest.raises(Unreachable, match="no node"):
        slow({}, hours=1, limit=5)


def test_a_hung_node_holds_the_others_up_for_seconds_only(
    replicas: list[ClickHouse18], own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    """It is no reason to say that the question is too expensive."""
    write_log(replicas[0], "someone", "SELECT 1", 5)
    hung = own_clickhouse18()
    with sessions(replicas[0], hung) as opened:
        opened["node1"].capabilities(5)
        hung.pause()
        try:
            before = time.monotonic()
            found = slow(opened, hours=1, limit=5)
            took = time.monotonic() - before
            with pytest.raises(TimedOut):
                slow({"node1": opened["node1"]}, hours=1, limit=5)
        finally:
            hung.resume()
    assert found.nodes == {"node0": Status.OK, "node1": Status.TIMEOUT}
    assert took < 10


@pytest.mark.parametrize(("hours", "smaller"), [(168, 72), (24, 12), (2, 1), (1, None)])
def test_a_log_that_is_too_large_is_too_expensive(
    embedded: EmbeddedServer, hours: int, smaller: int | None
) -> None:
    """By our own deadline, which the server cannot keep."""
    user = f"u{uuid.uuid4().hex[:12]}"
    write_log(embedded, user, "SELECT 1", *range(3))
    with sessions(embedded) as opened:
        opened["node0"].capabilities(5)
        embedded.execute(
            "INSERT INTO system.query_log (type, event_date, event_time, query_duration_ms, is_initial_query,"
            " normalized_query_hash, query_id) SELECT 2, today(), now(), number, 1, cityHash64(number),"
            " toString(number) FROM numbers(1000000)"
        )
        try:
            with pytest.raises(TooExpensive) as caught:
                slow(opened, hours=hours, limit=200, timeout_seconds=0.1)
        finally:
            embedded.execute("ALTER TABLE system.query_log DELETE WHERE user = ''", mutations_sync=1)
    assert caught.value.smaller_hours == smaller
    assert ("ask for" in caught.value.message) is bool(smaller)


def test_limits_of_the_user_are_too_expensive(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    """158, also where other nodes answer: half a sum is worse than none."""
    small = own_clickhouse18(Options(profile={"log_queries": 1, "max_rows_to_read": 5000}))
    other = own_clickhouse18()
    for server in (small, other):
        write_log(server, "someone", "SELECT 1", *range(10_000))
    with sessions(small, other) as opened:
        for ask in (slow, failed):
            with pytest.raises(TooExpensive, match="node0 gave up") as caught:
                ask(opened, hours=24, limit=5)  # type: ignore[operator]
            assert caught.value.smaller_hours == 12


def test_a_profile_that_breaks_off_gives_no_half_an_answer(
    own_clickhouse18: Callable[..., ClickHouse18],
) -> None:
    """With read_overflow_mode = 'break' the server itself would be silent."""
    profile = {"log_queries": 1, "max_rows_to_read": 5000, "read_overflow_mode": "break"}
    server = own_clickhouse18(Options(profile=profile))
    write_log(server, "someone", "SELECT 1", *range(10_000))
    with sessions(server) as opened, pytest.raises(TooExpensive):
        slow(opened, hours=24, limit=5)


def test_an_old_server_is_asked_for_a_day_at_most(replicas: list[ClickHouse18]) -> None:
    write_log(replicas[0], "someone", "SELECT 1", 5)
    with sessions(replicas[0]) as opened:
        for ask in (slow, failed):
            with pytest.raises(TooExpensive, match="at most 24 h") as caught:
                ask(opened, hours=25, limit=5)  # type: ignore[operator]
            assert caught.value.smaller_hours == 24
        assert slow(opened, hours=24, limit=5).rows


def test_no_log_until_a_query_is_logged(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18(Options(profile={"log_queries": 0}))
    with sessions(server) as opened:
        with pytest.raises(QueryLogUnavailable, match="log_queries = 1"):
            slow(opened, hours=1, limit=5)
        server.execute("SELECT 1", log_queries=1)

        def answers() -> bool:
            try:
                return bool(slow(opened, hours=1, limit=5).rows)
            except QueryLogUnavailable:
                return False

        wait_for(answers)
        server.execute("DROP TABLE system.query_log")
        with pytest.raises(QueryLogUnavailable, match="log_queries = 1"):
            slow(opened, hours=1, limit=5)


def test_a_node_without_a_log_beside_one_with(
    replicas: list[ClickHouse18], own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    write_log(replicas[0], "someone", "SELECT 1", 5)
    silent = own_clickhouse18(Options(profile={"log_queries": 0}))
    with sessions(silent, replicas[0]) as opened:
        found = slow(opened, hours=1, limit=5)
    assert found.rows
    assert found.nodes == {"node0": Status.UNSUPPORTED, "node1": Status.OK}
    assert "log_queries = 1" in found.errors["node0"]


def test_without_a_grant_the_grant_is_named(own_embedded: Callable[..., EmbeddedServer]) -> None:
    """The embedded engine lets everyone read system tables, but hides their columns."""
    server = own_embedded(grants=["GRANT SELECT ON system.settings"])
    server.execute("SELECT 1")

    def reason() -> str:
        with sessions(server) as opened, pytest.raises(QueryLogUnavailable) as caught:
            slow(opened, hours=1, limit=5)
        return caught.value.message

    wait_for(lambda: "GRANT SELECT ON system.query_log TO `monitor`" in reason())


def test_a_refusal_by_the_server_is_a_missing_grant(
    own_embedded: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_queries, "SQL", FORBIDDEN)
    server = own_embedded(grants=["GRANT SELECT ON system.*"])

    def reason() -> str:
        with sessions(server) as opened, pytest.raises(QueryLogUnavailable) as caught:
            failed(opened, hours=1, limit=5)
        return caught.value.message

    wait_for(lambda: "run GRANT SELECT ON system.query_log TO `monitor`" in reason())


def test_figures_without_texts_where_only_those_are_granted(
    own_embedded: Callable[..., EmbeddedServer],
) -> None:
    """The private form of the GRANT (clickhouse-facts.md, 5)."""
    columns = (
        "event_date, event_time, type, query_duration_ms, normalized_query_hash, query_kind, user,"
        " is_initial_query, is_internal, read_rows, read_bytes, memory_usage, result_rows, exception_code,"
        " tables, query_id"
    )
    server = own_embedded(
        grants=[f"GRANT SELECT({columns}) ON system.query_log", "GRANT SELECT ON system.one"]
    )
    for _ in range(3):
        server.execute("SELECT 1, 'hunter2' FROM system.one")
    with sessions(server) as opened:

        def selects() -> list[int]:
            try:
                found = slow(opened, hours=1, limit=50, kind="Select").rows
            except QueryLogUnavailable:
                return []
            return [row.count for row in found if row.query == "" and row.tables == ("system.one",)]

        wait_for(lambda: 3 in selects())
        assert all(row.sample_message == "" for row in failed(opened, hours=1, limit=5).rows)


def test_a_user_who_may_send_no_setting(replicas: list[ClickHouse18]) -> None:
    write_log(replicas[0], "someone", "SELECT 1", 5)
    with sessions(replicas[0], username="readonly1", password="") as opened:
        assert slow(opened, hours=1, limit=5).rows
        assert failed(opened, hours=1, limit=5).nodes == {"node0": Status.OK}
        assert parts_distribution(opened, limit=5).rows


def test_a_setting_that_is_refused_leaves_the_limits_in_force(replicas: list[ClickHouse18]) -> None:
    with sessions(replicas[0]) as opened:
        session = opened["node0"]
        asked = "SELECT value FROM system.settings WHERE name = 'max_execution_time'"
        found = session.run(asked, timeout_seconds=7, settings={"nosuch": 1, "max_memory_usage": 10**9})
    assert found.rows == [("7",)]


def test_a_wrong_password_is_no_silence(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(user="monitor", password="right")
    with sessions(server, password="wrong") as opened, pytest.raises(ClickHouseError) as caught:
        slow(opened, hours=1, limit=5)
    assert caught.value.code == 516
    assert not isinstance(caught.value, AccessDenied)


def test_a_deadline_is_for_all_of_it() -> None:
    clock = iter([100.0, 101.0, 130.0])
    deadline = Deadline.within(20, 24, lambda: next(clock))
    assert deadline.left == 19
    assert 0 < deadline.left < 1

"""The zookeeper panel: the server's own counters of Keeper, on 18.16 with ZooKeeper and on 26.9 without."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.collect import collect
from clustersight.collection import Plan
from clustersight.metrics import Kind
from clustersight.panels.panel import Status
from clustersight.panels.zookeeper import EXCEPTIONS, PANEL, TRANSACTIONS, Totals, rates
from tests.panels.replicated import native, replicated_table
from tests.panels.visiting import CLOCK, run, run_until, values, watching

EXCEPTIONS_TOTAL = "clickhouse_zookeeper_exceptions_total"


def test_a_server_with_keeper_tells_its_session_and_what_it_asked(replicas: list) -> None:
    with replicated_table(replicas):
        found = run(native(replicas[0]), PANEL)
    assert found.status is Status.OK, found.error
    known = values(found)
    assert known["clickhouse_zookeeper_sessions",] == 1
    assert known["clickhouse_zookeeper_watches",] >= 1
    assert known["clickhouse_zookeeper_requests_in_flight",] >= 0
    assert known["clickhouse_zookeeper_transactions_total",] > 0
    assert known["clickhouse_zookeeper_wait_seconds_total",] > 0
    assert ("clickhouse_zookeeper_sessions_expired",) not in known  # 18.16 does not count them


def test_a_server_that_never_asked_keeper_has_its_counters_at_zero(embedded: Any) -> None:
    found = run(Address("127.0.0.1", embedded.port, Wire.HTTP), PANEL)
    assert found.status is Status.OK, found.error
    known = values(found)
    for kind in ("hardware", "user", "other"):
        assert known[EXCEPTIONS_TOTAL, kind] == 0
    assert known["clickhouse_zookeeper_transactions_total",] == 0
    assert known["clickhouse_zookeeper_sessions_expired",] == 0


def test_a_lost_keeper_shows_as_hardware_exceptions(replicas: list, zookeeper: Any) -> None:
    address = native(replicas[0])
    with replicated_table(replicas):
        before = values(run(address, PANEL))[EXCEPTIONS_TOTAL, "hardware"]
        zookeeper.kill()
        try:
            lost = run_until(address, PANEL, lambda r: values(r)[EXCEPTIONS_TOTAL, "hardware"] > before)
        finally:
            zookeeper.start()
        assert values(lost)[EXCEPTIONS_TOTAL, "hardware"] > before
        run_until(address, PANEL, lambda r: values(r)["clickhouse_zookeeper_sessions",] == 1, 60)


def test_rates_come_with_the_second_visit(replicas: list) -> None:
    watch = watching(native(replicas[0]))
    try:
        first = collect(watch, Plan([PANEL]), CLOCK).runs[0]
        assert PANEL.payload(first.rows)[0]["transactions_per_sec"] is None
        ends = time.monotonic() + 30
        shown: dict[str, Any] = {}
        while shown.get("transactions_per_sec") is None and time.monotonic() < ends:
            with replicated_table(replicas):
                shown = PANEL.payload(collect(watch, Plan([PANEL]), CLOCK).runs[0].rows)[0]
    finally:
        watch.close()
    assert shown["transactions_per_sec"] > 0
    assert shown["wait_ms_avg"] > 0
    assert shown["hardware_exceptions_per_min"] >= 0


def totals(at: float, transactions: float, hardware: float = 0.0) -> Totals:
    return Totals(at, transactions, transactions / 100, {"hardware": hardware, "user": 0.0, "other": 0.0})


def test_a_rate_is_what_happened_between_two_visits() -> None:
    found = rates(totals(100, 50), totals(130, 80, hardware=2))
    assert found["transactions_per_sec"] == 1
    assert found["hardware_exceptions_per_min"] == 4
    assert found["user_exceptions_per_min"] == 0
    assert found["wait_ms_avg"] == pytest.approx(10)


@pytest.mark.parametrize("now", [totals(130, 40), totals(100.5, 51)])
def test_no_rate_over_a_reset_or_no_time(now: Totals) -> None:
    assert set(rates(totals(100, 50), now).values()) == {None}


def test_nothing_asked_has_no_average_wait() -> None:
    assert rates(totals(100, 50), totals(130, 50))["wait_ms_avg"] is None


def test_what_only_grows_is_a_counter() -> None:
    assert EXCEPTIONS.kind is TRANSACTIONS.kind is Kind.COUNTER

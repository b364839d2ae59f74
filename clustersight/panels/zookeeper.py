"""The server's sessions with Keeper, from its own counters: system.metrics and system.events.

Nothing here asks Keeper: these are numbers that the server keeps anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clustersight.metrics import Kind, Metric, Rate, Sample, Unit, per_minute
from clustersight.panels import counters
from clustersight.panels.counters import Counters
from clustersight.panels.panel import Context, Panel, Rows

NAME = "zookeeper"

# Only hardware exceptions are an alarm: those of users are normal races.
EXCEPTIONS_BY_TYPE = {
    "hardware": "ZooKeeperHardwareExceptions",
    "user": "ZooKeeperUserExceptions",
    "other": "ZooKeeperOtherExceptions",
}
MICROSECONDS = 1e-6
# Two visits nearer to each other say nothing about a rate.
SHORTEST_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters since the start of the server, and when they were read (monotonic seconds)."""

    read_at: float
    transactions: float
    wait_seconds: float
    exceptions: dict[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """Gauges are None where this version has none; rates are None before the second visit."""

    sessions: float | None
    session_expired: float | None
    watches: float | None
    requests_in_flight: float | None
    totals: Totals
    transactions_per_sec: float | None
    hardware_exceptions_per_min: float | None
    user_exceptions_per_min: float | None
    wait_ms_avg: float | None


SESSIONS = Metric(
    "clickhouse_zookeeper_sessions",
    "Sessions of the server with Keeper; it stays 1 while Keeper hangs (see clickhouse_keeper_online).",
    key="zookeeper.sessions",
    unit=Unit.COUNT,
    history=True,
)
EXPIRED = Metric(
    "clickhouse_zookeeper_sessions_expired",
    "Sessions that expired since the server started; absent where this version does not count them.",
    key="zookeeper.sessions_expired",
    unit=Unit.COUNT,
    history=True,
)
WATCHES = Metric(
    "clickhouse_zookeeper_watches",
    "Watches of the server on Keeper.",
    key="zookeeper.watches",
    unit=Unit.COUNT,
    history=True,
)
IN_FLIGHT = Metric(
    "clickhouse_zookeeper_requests_in_flight",
    "Requests to Keeper that wait for their answer.",
    key="zookeeper.requests_in_flight",
    unit=Unit.COUNT,
    history=True,
)
EXCEPTIONS = Metric(
    "clickhouse_zookeeper_exceptions_total",
    "Failed requests to Keeper: hardware (network, session), user (no such node), other.",
    ("type",),
    kind=Kind.COUNTER,
    history=True,
)
TRANSACTIONS = Metric(
    "clickhouse_zookeeper_transactions_total",
    "Requests that the server has sent to Keeper.",
    kind=Kind.COUNTER,
    history=True,
)
WAIT = Metric(
    "clickhouse_zookeeper_wait_seconds_total",
    "Time that threads have spent waiting for Keeper.",
    kind=Kind.COUNTER,
    history=True,
)
RATES = (
    per_minute(
        "zookeeper.exceptions_per_min", EXCEPTIONS.name, "Failed requests to Keeper a minute.", ("type",)
    ),
    Rate(
        "zookeeper.transactions_per_sec",
        Unit.PER_SECOND,
        "Requests to Keeper a second.",
        (TRANSACTIONS.name,),
        f"rate({TRANSACTIONS.name}[5m])",
    ),
)


def probe(context: Context) -> Rows:
    values = counters.read(context)
    now = _totals(values, context.monotonic)
    before: Totals | None = context.memory.get("totals")
    if before is None or now.read_at - before.read_at >= SHORTEST_INTERVAL_SECONDS:
        context.memory["totals"] = now
    return [
        Row(
            sessions=values.metric("ZooKeeperSession"),
            session_expired=values.metric("ZooKeeperSessionExpired"),
            watches=values.metric("ZooKeeperWatch"),
            requests_in_flight=values.metric("ZooKeeperRequest"),
            totals=now,
            **rates(before, now),
        )
    ]


def _totals(values: Counters, read_at: float) -> Totals:
    return Totals(
        read_at=read_at,
        transactions=values.event("ZooKeeperTransactions"),
        wait_seconds=values.event("ZooKeeperWaitMicroseconds") * MICROSECONDS,
        exceptions={kind: values.event(name) for kind, name in EXCEPTIONS_BY_TYPE.items()},
    )


def rates(before: Totals | None, now: Totals) -> dict[str, float | None]:
    """What happened between two visits; nothing is known where a counter has fallen."""
    names = ("transactions_per_sec", "hardware_exceptions_per_min", "user_exceptions_per_min", "wait_ms_avg")
    seconds = now.read_at - before.read_at if before else 0.0
    if before is None or seconds < SHORTEST_INTERVAL_SECONDS or now.transactions < before.transactions:
        return dict.fromkeys(names)
    sent = now.transactions - before.transactions
    hardware, user = (
        60 * (now.exceptions[kind] - before.exceptions[kind]) / seconds for kind in ("hardware", "user")
    )
    wait = 1000 * (now.wait_seconds - before.wait_seconds) / sent if sent else None
    return dict(zip(names, (sent / seconds, hardware, user, wait), strict=True))


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        gauges = (
            (SESSIONS, row.sessions),
            (EXPIRED, row.session_expired),
            (WATCHES, row.watches),
            (IN_FLIGHT, row.requests_in_flight),
        )
        for metric, value in gauges:
            if value is not None:
                yield Sample(metric, (), value)
        yield Sample(TRANSACTIONS, (), row.totals.transactions)
        yield Sample(WAIT, (), row.totals.wait_seconds)
        for kind, value in row.totals.exceptions.items():
            yield Sample(EXCEPTIONS, (kind,), value)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "sessions": row.sessions,
            "session_expired": row.session_expired,
            "watches": row.watches,
            "requests_in_flight": row.requests_in_flight,
            "transactions_per_sec": row.transactions_per_sec,
            "hardware_exceptions_per_min": row.hardware_exceptions_per_min,
            "user_exceptions_per_min": row.user_exceptions_per_min,
            "wait_ms_avg": row.wait_ms_avg,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Sessions, requests, waiting and exceptions of Keeper, from system.metrics and system.events.",
    needs=("metrics", "events"),
    reads=("asynchronous_metrics",),
    probe=probe,
    samples=samples,
    metrics=(SESSIONS, EXPIRED, WATCHES, IN_FLIGHT, EXCEPTIONS, TRANSACTIONS, WAIT),
    rates=RATES,
    payload=payload,
)

"""Whether this node can work with Keeper: system.replicas, system.metrics, one question to Keeper.

Evidence that costs nothing comes first. Keeper is asked only where nothing else has said that it is
away, since a hung Keeper keeps every question for itself: a question that fails or is not
answered is an answer too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.errors import (
    AccessDenied,
    ClickHouseError,
    QueryFailed,
    TimedOut,
    Unsupported,
)
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import counters, replicas
from clustersight.panels.panel import Context, Panel, Rows

NAME = "keeper"

# `default` is the main one; others are auxiliary and break single tables only.
SQL_CONNECTION = """
SELECT
    host, toInt64(port) AS port, is_expired,
    {{session_uptime_elapsed_seconds ? toInt64(session_uptime_elapsed_seconds) :
    greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(connected_time)))}}
        AS session_uptime_seconds
FROM system.zookeeper_connection
WHERE name = 'default'
ORDER BY is_expired, host LIMIT 10
"""
SQL_ROOT = "SELECT count() AS nodes FROM system.zookeeper WHERE path = '/' ORDER BY nodes LIMIT 1"
# The server has no <zookeeper> section, whatever tables it shows: NO_ZOOKEEPER.
NO_KEEPER_CODE = 225


class KeeperStatus(StrEnum):
    """How this node stands with Keeper."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    NOT_CONFIGURED = "NOT_CONFIGURED"


@dataclass(frozen=True, slots=True)
class Replicas:
    replicas: int
    expired: int


@dataclass(frozen=True, slots=True)
class Row:
    """`connected_to` is host:port; it and the uptime are None where this version does not tell them."""

    status: KeeperStatus
    session_uptime_seconds: int | None = None
    connected_to: str | None = None
    last_error: str = ""


ONLINE = Metric(
    "clickhouse_keeper_online",
    "1 if the node has a session with Keeper that answers within 3 seconds; absent where the server has"
    " no Keeper configured.",
    key="keeper.online",
    unit=Unit.BOOL,
    history=True,
)
SESSION_UPTIME = Metric(
    "clickhouse_keeper_session_uptime_seconds",
    "Age of the node's session with Keeper; absent without one, and where the version does not tell.",
    key="keeper.session_uptime_seconds",
    unit=Unit.SECONDS,
    history=True,
)


def probe(context: Context) -> Rows:
    held = _replicas(context)
    lost = _lost(context, held)
    if lost:
        return [Row(KeeperStatus.OFFLINE, last_error=lost)]
    if not context.has("zookeeper") and not context.has("zookeeper_connection"):
        # The tables exist only where Keeper is configured; the embedded engine has replicas without them.
        configured = KeeperStatus.ONLINE if held.replicas else KeeperStatus.NOT_CONFIGURED
        return [Row(configured)]
    return [_asked(context, held)]


def _replicas(context: Context) -> Replicas:
    # The replication panels' own statement: asked once a visit, whoever of the two comes first.
    found = replicas.read(context)
    return Replicas(len(found), sum(row.is_session_expired for row in found))


def _lost(context: Context, held: Replicas) -> str:
    """Why the session is known to be lost without a question to Keeper; empty where it is not."""
    if held.expired:
        return f"the session is expired for {held.expired} of {held.replicas} replicas"
    since = counters.read(context).metric("ZooKeeperConnectionLossStartedTimestampSeconds")
    return "the connection to Keeper is lost" if since else ""


def _asked(context: Context, held: Replicas) -> Row:
    try:
        if context.has("zookeeper_connection"):
            return _connected(context.keeper_query(SQL_CONNECTION))
        context.keeper_query(SQL_ROOT)
    except Unsupported:
        return Row(KeeperStatus.NOT_CONFIGURED)
    except AccessDenied:
        if held.replicas:  # they have their session: that is an answer
            return Row(KeeperStatus.ONLINE)
        raise
    except (QueryFailed, TimedOut) as error:
        return _failed(error)
    return Row(KeeperStatus.ONLINE)


def _connected(found: Result) -> Row:
    if not found.rows:
        return Row(KeeperStatus.OFFLINE, last_error="the server has no session with Keeper")
    host, port, is_expired, uptime = found.rows[0]
    if is_expired:
        return Row(KeeperStatus.OFFLINE, last_error=f"the session with {host}:{port} is expired")
    return Row(KeeperStatus.ONLINE, uptime, f"{host}:{port}")


def _failed(error: ClickHouseError) -> Row:
    if error.code == NO_KEEPER_CODE:
        return Row(KeeperStatus.NOT_CONFIGURED)
    return Row(KeeperStatus.OFFLINE, last_error=error.message)


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        if row.status is not KeeperStatus.NOT_CONFIGURED:
            yield Sample(ONLINE, (), int(row.status is KeeperStatus.ONLINE))
        if row.session_uptime_seconds is not None:
            yield Sample(SESSION_UPTIME, (), row.session_uptime_seconds)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "status": str(row.status),
            "session_uptime_seconds": row.session_uptime_seconds,
            "connected_to": row.connected_to,
            "last_error": row.last_error,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Whether the node has Keeper, from system.replicas, metrics and zookeeper(_connection).",
    needs=("replicas", "metrics", "events"),
    reads=("zookeeper_connection", "zookeeper", "asynchronous_metrics"),
    probe=probe,
    samples=samples,
    metrics=(ONLINE, SESSION_UPTIME),
    asks_keeper=True,
    payload=payload,
)

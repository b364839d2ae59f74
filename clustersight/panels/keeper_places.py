"""Which Keeper nodes there are: configured, else system.zookeeper_info (26.x), else zookeeper_connection.

The last names only the node in use, so that all that it ever named are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from clustersight.clickhouse import keeper
from clustersight.clickhouse.errors import ClickHouseError, TimedOut, Unsupported
from clustersight.panels.panel import Context

# The server asks every node itself, 7 words each, before this answers (its source): hourly is enough.
# `ensemble` is the main one first; auxiliary ones have a quorum of their own.
SQL_INFO = """
SELECT zookeeper_cluster_name AS ensemble, host, toInt64(port) AS port
FROM system.zookeeper_info
GROUP BY ensemble, host, port
ORDER BY ensemble IN ('default', 'zookeeper') DESC, ensemble, host, port
LIMIT 100
"""
SQL_CONNECTION = """
SELECT name AS ensemble, host, toInt64(port) AS port
FROM system.zookeeper_connection WHERE name = 'default'
GROUP BY ensemble, host, port ORDER BY host, port LIMIT 100
"""
LISTED_SECONDS = 3600.0
# A node that the server no longer names is shown for a day more: it may be the one that died.
FORGOTTEN_SECONDS = 86400.0


class Source(StrEnum):
    """Who named the nodes, the best first; only a complete list can prove that the quorum is lost."""

    CONFIGURATION = "configuration"
    ZOOKEEPER_INFO = "zookeeper_info"
    ZOOKEEPER_CONNECTION = "zookeeper_connection"


SQL_BY_SOURCE = {Source.ZOOKEEPER_INFO: SQL_INFO, Source.ZOOKEEPER_CONNECTION: SQL_CONNECTION}


def find(context: Context) -> tuple[Source, list[str]]:
    """Configured nodes, else those that the server names; raises ClickHouseError where nobody does."""
    if context.keeper_nodes:
        return Source.CONFIGURATION, list(dict.fromkeys(context.keeper_nodes))
    problem = _find(context) if _is_due(context) else None
    named: dict[str, float] = context.memory.get("named", {})
    if not named:
        raise problem or Unsupported("this server names no Keeper nodes: configure keeper_nodes")
    return context.memory["source"], sorted(named)


def _is_due(context: Context) -> bool:
    if not context.memory.get("named"):
        return True
    complete = context.memory["source"] is Source.ZOOKEEPER_INFO
    old = context.monotonic - context.memory["listed_at"] >= LISTED_SECONDS
    return context.tier2_due and (old or not complete)


def _find(context: Context) -> ClickHouseError | None:
    """Ask the server for its nodes; what it named before stays known when it cannot be asked now."""
    problem: ClickHouseError | None = None
    for source, sql in SQL_BY_SOURCE.items():
        if not context.has(source):
            continue
        try:
            _remember(context, source, context.keeper_query(sql).rows)
        except TimedOut as error:
            return error  # Keeper hangs: the other table would only wait as well
        except ClickHouseError as error:
            problem = error
        else:
            return None
    return problem


def _remember(context: Context, source: Source, found: Sequence[tuple[Any, ...]]) -> None:
    memory, now = context.memory, context.monotonic
    before: dict[str, float] = memory.get("named", {}) if source is Source.ZOOKEEPER_CONNECTION else {}
    fresh = [written(host, port) for ensemble, host, port in found if ensemble == found[0][0]]
    memory["named"] = {name: at for name, at in before.items() if now - at < FORGOTTEN_SECONDS}
    memory["named"].update((name, now) for name in fresh if keeper.is_place(name))
    memory["source"], memory["listed_at"] = source, now


def written(host: str, port: int) -> str:
    """As it would be configured; the server writes a node with TLS as secure://HOST."""
    name = host.removeprefix("secure://")
    scheme = "tls://" if name != host else ""
    return f"{scheme}[{name}]:{port}" if ":" in name else f"{scheme}{name}:{port}"

"""DDL ON CLUSTER that waits on a node: system.distributed_ddl_queue (20.12+), asked from one node.

Reading it costs Keeper about entries x (2 + hosts) requests, so that it is read only when MaxDDLEntryID
of a node has stayed behind (clustersight/ddl_progress.py, which costs nothing); else nothing waits. Where
that cannot be told, since only one node is watched, or the version lacks the metric, it is read in each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clustersight.clickhouse.errors import Unsupported
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.panel import Context, Panel, Peers, Rows, Scope, Tier

NAME = "ddl-queue"

# Never the columns query and settings: they hold secrets. Entries of hosts that were removed stay unfinished
# for a week (task_max_lifetime); so only hosts of system.clusters, and a day.
SQL = """
SELECT
    host, port, count() AS unfinished, max(age) AS oldest_seconds, argMax(entry, age) AS oldest_entry,
    (host, port) IN (SELECT host_name, port FROM system.clusters WHERE is_local) AS is_local
FROM
(
    SELECT
        entry, cluster,
        ifNull({{distributed_ddl_queue.host ? host : host_name}}, '') AS host,
        ifNull(port, 0) AS port,
        greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(
            {{distributed_ddl_queue.query_create_time ? query_create_time : query_start_time}}))) AS age
    FROM system.distributed_ddl_queue
    WHERE ifNull(toString(status), '') IN ('Inactive', 'Active')
)
WHERE age < 86400 AND (cluster, host, port) IN (SELECT cluster, host_name, port FROM system.clusters)
GROUP BY host, port
ORDER BY oldest_seconds DESC, host, port
LIMIT 1000
"""
SQL_HOSTS = "SELECT uniqExact(host_name, port) AS hosts FROM system.clusters ORDER BY hosts LIMIT 1"
# Up to 1000 entries are kept: with more hosts a run without a suspicion is too much for Keeper, and for the
# 3 seconds that a question to it may take.
MOST_HOSTS_UNSUSPECTED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the answer."""

    host: str
    port: int
    unfinished: int
    oldest_seconds: int
    oldest_entry: str
    is_local: int


@dataclass(frozen=True, slots=True)
class Row:
    """A host that entries wait for. `is_live`: it is watched and answers; only those count.

    It is None where nobody watches the cluster's other nodes (one run on one node).
    """

    node: str
    is_live: bool | None
    unfinished: int
    oldest_seconds: int
    oldest_entry: str


OLDEST = Metric(
    "clickhouse_ddl_queue_oldest_entry_seconds",
    "Age of the oldest entry of DDL ON CLUSTER that a node which answers has not finished; 0 while none has"
    " stayed behind for five minutes.",
    key="ddl.oldest_seconds",
    unit=Unit.SECONDS,
    alarming=600,
    history=True,
)
NODE_OLDEST = Metric(
    "clickhouse_ddl_queue_node_oldest_entry_seconds",
    "The same for each node; absent where nothing waits.",
    ("node",),
    key="ddl.node_oldest_seconds",
    unit=Unit.SECONDS,
    alarming=600,
    history=True,
)
UNFINISHED = Metric(
    "clickhouse_ddl_queue_unfinished_entries",
    "Entries of DDL ON CLUSTER that the node has not finished; absent where nothing waits.",
    ("node",),
    key="ddl.unfinished",
    unit=Unit.COUNT,
    history=True,
)


def probe(context: Context) -> Rows:
    peers = context.peers
    if peers is None or peers.ddl_behind is None:
        _refuse_many_hosts(context)
    elif not peers.ddl_behind:
        return []
    found = [row(peers, Found(*values)) for values in context.keeper_query(SQL).rows]
    return sorted(found, key=lambda one: (not one.is_live, -one.oldest_seconds, one.node))


def _refuse_many_hosts(context: Context) -> None:
    [[hosts]] = context.query(SQL_HOSTS).rows
    if hosts > MOST_HOSTS_UNSUSPECTED:
        raise Unsupported(
            f"one of {hosts} hosts is watched: the queue is too long to be read on no suspicion;"
            " set discover: true"
        )


def row(peers: Peers | None, found: Found) -> Row:
    """A line of the answer; the node that is asked is one that answers."""
    host, port = found.host, found.port
    is_live = peers.is_live(host, port) if peers is not None else None
    return Row(
        node=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        is_live=True if found.is_local else is_live,
        unfinished=found.unfinished,
        oldest_seconds=found.oldest_seconds,
        oldest_entry=found.oldest_entry,
    )


def samples(rows: Rows) -> Iterator[Sample]:
    live = [one for one in rows if one.is_live]
    yield Sample(OLDEST, (), max((one.oldest_seconds for one in live), default=0))
    for one in live:
        yield Sample(NODE_OLDEST, (one.node,), one.oldest_seconds)
        yield Sample(UNFINISHED, (one.node,), one.unfinished)


PANEL = Panel(
    name=NAME,
    about="DDL ON CLUSTER that nodes have not finished, from system.distributed_ddl_queue.",
    needs=("distributed_ddl_queue",),
    reads=("clusters",),
    probe=probe,
    samples=samples,
    metrics=(OLDEST, NODE_OLDEST, UNFINISHED),
    scope=Scope.CLUSTER,
    tier=Tier.TWO,
    asks_keeper=True,
)

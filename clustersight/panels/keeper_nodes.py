"""Every Keeper node, asked by the exporter itself in 4-letter words (clickhouse/keeper.py).

Which nodes there are: panels/keeper_places.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clustersight.clickhouse import keeper
from clustersight.clickhouse.keeper import SERVING, Answer, State
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import keeper_places
from clustersight.panels.keeper_places import Source
from clustersight.panels.panel import Context, Panel, Rows, Scope

NAME = "keeper-nodes"


@dataclass(frozen=True, slots=True)
class Row:
    """One node. Numbers are None where it did not tell them; `latency_seconds` is our own round trip."""

    node: str
    host: str
    port: int
    state: State
    source: Source
    latency_seconds: float | None
    version: str
    outstanding_requests: float | None
    znode_count: float | None
    ephemerals: float | None
    watches: float | None
    connections: float | None
    followers: float | None
    synced_followers: float | None
    error: str

    @property
    def up(self) -> bool | None:
        """Whether it serves; None where that cannot be known from here."""
        if self.state in (State.UP_UNKNOWN, State.UNREACHABLE_FROM_EXPORTER):
            return None
        return self.state in SERVING


_LABELS = ("node",)
UP = Metric(
    "clickhouse_keeper_node_up",
    "1 if the Keeper node serves requests; 0 also without quorum. Absent for a node that does not tell,"
    " and for one that has never answered this exporter.",
    _LABELS,
    key="keeper_nodes.up",
    unit=Unit.BOOL,
    history=True,
)
LATENCY = Metric(
    "clickhouse_keeper_node_latency_seconds",
    "Round trip of the exporter's question to the Keeper node, with connecting; absent without an answer.",
    _LABELS,
    key="keeper_nodes.latency_ms",
    unit=Unit.MILLISECONDS,
    alarming=1.0,
    history=True,
)
OUTSTANDING = Metric(
    "clickhouse_keeper_node_outstanding_requests",
    "Requests that wait in the Keeper node.",
    _LABELS,
    key="keeper_nodes.outstanding_requests",
    unit=Unit.COUNT,
    history=True,
)
ZNODES = Metric(
    "clickhouse_keeper_node_znodes",
    "Nodes in the tree of the Keeper node.",
    _LABELS,
    key="keeper_nodes.znodes",
    unit=Unit.COUNT,
    history=True,
)
EPHEMERALS = Metric("clickhouse_keeper_node_ephemerals", "Ephemeral nodes of the tree.", _LABELS)
WATCHES = Metric("clickhouse_keeper_node_watches", "Watches on the Keeper node.", _LABELS)
CONNECTIONS = Metric("clickhouse_keeper_node_connections", "Clients of the Keeper node.", _LABELS)
FOLLOWERS = Metric("clickhouse_keeper_node_followers", "Followers; the leader alone tells them.", _LABELS)
SYNCED = Metric(
    "clickhouse_keeper_node_synced_followers", "Followers that keep up; the leader alone tells.", _LABELS
)
NODES = Metric(
    "clickhouse_keeper_nodes",
    "Keeper nodes that are known.",
    key="keeper_nodes.nodes",
    unit=Unit.COUNT,
    history=True,
)
NODES_UP = Metric(
    "clickhouse_keeper_nodes_up",
    "Keeper nodes that serve requests.",
    key="keeper_nodes.nodes_up",
    unit=Unit.COUNT,
    history=True,
)
QUORUM = Metric(
    "clickhouse_keeper_quorum",
    "1 if a Keeper node serves, 0 if so many are known not to that no majority can; absent where too few"
    " can be reached to tell.",
    key="keeper.quorum",
    unit=Unit.BOOL,
    history=True,
)
# Numbers of a row that become gauges where they are known.
GAUGES = (
    (LATENCY, "latency_seconds"),
    (OUTSTANDING, "outstanding_requests"),
    (ZNODES, "znode_count"),
    (EPHEMERALS, "ephemerals"),
    (WATCHES, "watches"),
    (CONNECTIONS, "connections"),
    (FOLLOWERS, "followers"),
    (SYNCED, "synced_followers"),
)
# The worst first.
_ORDER = (
    State.DOWN, State.UP_NO_QUORUM, State.UP_UNKNOWN, State.UNREACHABLE_FROM_EXPORTER,
    State.LEADER, State.STANDALONE, State.FOLLOWER, State.OBSERVER,
)  # fmt: skip


def probe(context: Context) -> Rows:
    source, names = keeper_places.find(context)
    answered: set[str] = context.memory.setdefault("answered", set())
    answers = keeper.ask_all([keeper.place(name) for name in names])
    answered.update(a.place.text for a in answers if a.latency_seconds is not None)
    rows = [row(answer, source, seen=answer.place.text in answered) for answer in answers]
    return sorted(rows, key=lambda r: (_ORDER.index(r.state), r.node))


def row(answer: Answer, source: Source, *, seen: bool) -> Row:
    """`seen`: it has answered this exporter at least once, so that silence means that it is down."""
    never = answer.state is State.DOWN and not seen
    return Row(
        node=answer.place.text,
        host=answer.place.host,
        port=answer.place.port,
        state=State.UNREACHABLE_FROM_EXPORTER if never else answer.state,
        source=source,
        latency_seconds=answer.latency_seconds,
        version=answer.details.get("zk_version", ""),
        outstanding_requests=answer.number("zk_outstanding_requests"),
        znode_count=answer.number("zk_znode_count"),
        ephemerals=answer.number("zk_ephemerals_count"),
        watches=answer.number("zk_watch_count"),
        connections=answer.number("zk_num_alive_connections"),
        followers=answer.number("zk_followers", "zk_learners"),
        synced_followers=answer.number("zk_synced_followers"),
        error=answer.error,
    )


def quorum(rows: Sequence[Row]) -> bool | None:
    """Whether the ensemble can work. A follower serves only as long as it follows a leader."""
    if any(row.up for row in rows):
        return True
    if not rows or rows[0].source is Source.ZOOKEEPER_CONNECTION:
        return None
    undecided = sum(1 for row in rows if row.up is None)
    return None if undecided > len(rows) // 2 else False


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(NODES, (), len(rows))
    yield Sample(NODES_UP, (), sum(1 for row in rows if row.up))
    alive = quorum(rows)
    if alive is not None:
        yield Sample(QUORUM, (), int(alive))
    for row in rows:
        if row.up is not None:
            yield Sample(UP, (row.node,), int(row.up))
        for metric, name in GAUGES:
            value = getattr(row, name)
            if value is not None:
                yield Sample(metric, (row.node,), value)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [_payload(row) for row in rows]


def _payload(row: Row) -> dict[str, Any]:
    latency = row.latency_seconds
    return {
        "node": row.node,
        "host": row.host,
        "port": row.port,
        "status": None if row.up is None else int(row.up),
        "state": str(row.state),
        "latency_ms": None if latency is None else round(1000 * latency, 1),
        "role": str(row.state) if row.state in SERVING else None,
        "version": row.version,
        "outstanding_requests": row.outstanding_requests,
        "znode_count": row.znode_count,
        "ephemerals": row.ephemerals,
        "watches": row.watches,
        "followers": row.followers,
        "synced_followers": row.synced_followers,
        "source": str(row.source),
        "error": row.error,
    }


PANEL = Panel(
    name=NAME,
    about="State of every Keeper node, asked over TCP; the list from system.zookeeper_info if need be.",
    reads=("zookeeper_info", "zookeeper_connection"),
    probe=probe,
    samples=samples,
    metrics=(UP, QUORUM, NODES, NODES_UP, *(metric for metric, _ in GAUGES)),
    scope=Scope.CLUSTER,
    asks_keeper=True,
    survives_node=True,
    payload=payload,
)

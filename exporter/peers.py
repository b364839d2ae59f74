"""What the visits to the nodes of a cluster say of them together, for the panels that ask one about all."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clustersight.clickhouse.connection import Wire
from clustersight.clickhouse.topology import Node
from clustersight.ddl_progress import Entries, Waiting, behind, waiting
from clustersight.panels import server
from clustersight.panels.panel import Peers, Status
from exporter.fleet import Target


class PeersWatch:
    """Keeps since when which node waits for an entry of DDL. Of a cluster one worker asks at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, Waiting]] = {}

    def forget_others(self, clusters: Collection[str]) -> None:
        """Keep what is known of these clusters only."""
        kept = self._waiting.copy()  # at once: workers add to it meanwhile
        self._waiting = {name: known for name, known in kept.items() if name in clusters}

    def look(self, cluster: str, targets: Sequence[Target], now: float) -> Peers:
        """Of the targets of a cluster as they were visited last; `now` is monotonic."""
        entries = {t.node.host: found for t in targets if (found := entries_of(t)) is not None}
        self._waiting[cluster] = known = waiting(self._waiting.get(cluster, {}), entries, now)
        suspects = behind(known, now) if is_comparable(targets, len(entries)) else None
        return Peers(frozenset(place(t.node) for t in targets if is_up(t)), suspects)


def is_up(target: Target) -> bool:
    return target.collection is not None and target.collection.up


def entries_of(target: Target) -> Entries | None:
    """How far a node got with DDL; None where that is not known."""
    run = target.runs.get(server.NAME)
    if not is_up(target) or run is None or run.status is not Status.OK or not run.rows:
        return None
    row: server.Row = run.rows[0]
    return None if row.ddl_entry is None else Entries(row.ddl_entry, row.ddl_pushed_entry or 0.0)


def is_comparable(targets: Sequence[Target], known: int) -> bool:
    """Whether nodes can be compared, or will be with the next visits; not of one that is alone."""
    if any(t.cluster.discover and t.node.is_configured and t.topology_at is None for t in targets):
        return True
    expected = [t for t in targets if t.collection is None or t.collection.up]
    if len(expected) > 1 and any(t.collection is None for t in expected):
        return True
    return len(expected) > 1 and known == len(expected)


def place(node: Node) -> str:
    """As system.clusters names it. Over HTTP its native port is not known."""
    address = node.address
    return f"{address.host}:{address.port}" if address.wire is Wire.NATIVE else address.host

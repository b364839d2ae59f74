"""What the exporter stored of a panel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from api.context import Context
from api.panels.looks import Looks
from api.panels.runs import NodeRun, light, stored_run
from clustersight.panels.panel import Panel, Scope
from clustersight.store import nodes, snapshots
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Look:
    """The runs of a panel, with rows only where they were asked for, and the hosts that must have one."""

    runs: tuple[NodeRun, ...]
    hosts: frozenset[str]
    nodes: tuple[StoredNode, ...]


class Stored:
    """One per process: `current().of(Stored)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._looks: Looks[Look] = Looks(context.clock.monotonic)

    def look(self, cluster_id: str, panel: Panel) -> Look:
        """The panel as it is stored, to a quarter of a second, without rows. Raises StoreError."""
        key = (cluster_id, panel.name)
        return self._looks.look(key, lambda: self._read(cluster_id, panel, snapshots.states_of_panel))

    def load(self, cluster_id: str, panel: Panel) -> Look:
        """The same as it is now, with rows."""
        at = self._context.clock.monotonic()
        look = self._read(cluster_id, panel, snapshots.of_panel)
        without_rows = Look(tuple(map(light, look.runs)), look.hosts, look.nodes)
        self._looks.put((cluster_id, panel.name), at, without_rows)
        return look

    def _read(self, cluster_id: str, panel: Panel, read: Callable[..., list[Snapshot]]) -> Look:
        with self._context.database.read() as db:
            known = tuple(nodes.of_cluster(db, cluster_id))
            found = read(db, cluster_id, panel.name)
        by_host = {node.host: node for node in known}
        # A node that left is forgotten within a moment; until then its last run says nothing.
        runs = tuple(stored_run(one, by_host[one.host]) for one in found if one.host in by_host)
        hosts = frozenset(n.host for n in known if panel.scope is Scope.NODE or n.is_configured)
        return Look(runs, hosts, known)

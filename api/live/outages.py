"""The nodes that were not reached a moment ago, by whichever panel and worker of this API."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from api.context import Context
from api.panels.siblings import Siblings, name_of
from clustersight import __version__
from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.topology import Node
from clustersight.collection import Collection, PanelRun
from clustersight.panels.panel import Panel, Status

# Long enough that a page of a dozen panels asks a server that is down once, and no longer.
FAILED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Why a node was not reached."""

    status: Status
    error: str

    def collection(
        self, node: Node, panels: Sequence[Panel], disabled: frozenset[str], now: float
    ) -> Collection:
        """What a visit would bring now, at `now` in epoch seconds."""
        runs = (self._run(panel, disabled, now) for panel in panels)
        return Collection(node, False, self.error, None, now, 0.0, tuple(runs))

    def _run(self, panel: Panel, disabled: frozenset[str], now: float) -> PanelRun:
        if panel.name in disabled:
            return PanelRun(panel, Status.DISABLED, finished_at=now)
        return PanelRun(panel, self.status, self.error, finished_at=now)


class Outages:
    """One per process: `current().of(Outages)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._monotonic = context.clock.monotonic
        self._siblings = Siblings(context.store.folder, FAILED_SECONDS, self._monotonic)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, Address], tuple[float, Outage]] = {}

    def find(self, cluster_id: str, address: Address) -> Outage | None:
        """Why the node was not reached within the last FAILED_SECONDS, if so."""
        known = self._known.get((cluster_id, address))
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        found = self._siblings.read(_name(cluster_id, address))
        if found is None:
            return None
        at, (status, error) = found
        outage = Outage(Status(status), error)
        self._keep(cluster_id, address, at + FAILED_SECONDS, outage)
        return outage

    def note(self, cluster_id: str, found: Collection) -> None:
        """A visit has ended like this."""
        if found.up:
            return
        failed = (run.status for run in found.runs if run.error and not run.panel.survives_node)
        outage = Outage(next(failed, Status.TIMEOUT), found.error)
        address = found.node.address
        self._siblings.write(_name(cluster_id, address), [outage.status.value, outage.error])
        self._keep(cluster_id, address, self._monotonic() + FAILED_SECONDS, outage)

    def _keep(self, cluster_id: str, address: Address, until: float, outage: Outage) -> None:
        now = self._monotonic()
        with self._lock:
            self._known = {key: one for key, one in self._known.items() if one[0] > now}
            self._known[cluster_id, address] = (until, outage)


def _name(cluster_id: str, address: Address) -> str:
    """Another port or certificate is another way; a password, which is not shown here, changes nothing."""
    return name_of(__version__, "outage", cluster_id, repr(address))

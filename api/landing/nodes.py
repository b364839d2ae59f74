"""Nodes and their panels as the landing page shows them: how each last ended, and how old it is (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from api.collector import is_fresh_panel, visited_lately
from api.landing.facts import ClusterFacts, Facts
from api.landing.views import Level, NodeView, PanelView, ago, counted, name, text
from api.panels.runs import NodeRun, stored_run, told
from clustersight import panels
from clustersight.panels.panel import Status
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

MOST_TROUBLED = 40
MOST_CALM = 120
# A rule's own SELECT: only its rule knows its interval. What the exporter says of itself is no panel at all.
_OF_RULES = "rule:"
_OURS = frozenset(panel.name for panel in panels.ALL)
_CALM = frozenset({Status.UNSUPPORTED, Status.DISABLED})


@dataclass(frozen=True, slots=True)
class Board:
    """The panels of a cluster, those that need a look apart from the others."""

    troubled: tuple[PanelView, ...]
    more_troubled: int
    calm: tuple[PanelView, ...]
    more_calm: int
    counts: str


def board(one: ClusterFacts, facts: Facts) -> Board:
    """Of a node that is down its panels say nothing that the node itself does not."""
    lost = {n.host for n in one.nodes if not n.is_up and visited_lately(n, facts.now, facts.collection)}
    by_host = {node.host: node for node in one.nodes}
    runs = [run for run in one.runs if run.host in by_host and _is_panel(run.panel)]
    views = [_panel_view(run, by_host[run.host], facts) for run in runs]
    views = [v for v in views if v.host not in lost or v.level in (Level.OK, Level.CALM)]
    bad = [v for v in views if v.level not in (Level.OK, Level.CALM)]
    calm = [v for v in views if v.level in (Level.OK, Level.CALM)]
    fresh = sum(v.level is Level.OK for v in calm)
    judged = len(bad) + fresh
    return Board(
        troubled=tuple(bad[:MOST_TROUBLED]),
        more_troubled=max(0, len(bad) - MOST_TROUBLED),
        calm=tuple(calm[:MOST_CALM]),
        more_calm=max(0, len(calm) - MOST_CALM),
        counts=f"{fresh} of {counted(judged, 'panel')} fresh" if judged else "no panel was read",
    )


def _is_panel(panel: str) -> bool:
    return panel in _OURS or panel.startswith(_OF_RULES)


def node_view(node: StoredNode, facts: Facts) -> NodeView:
    place = f"shard {node.shard}, replica {node.replica}" if node.shard else ""
    about = ", ".join(part for part in (place, node.version) if part)
    level, state = _state(node, facts)
    error = text(node.error) if level is not Level.OK else ""
    return NodeView(name(node.host), level, state, name(about), error)


def _state(node: StoredNode, facts: Facts) -> tuple[Level, str]:
    if not visited_lately(node, facts.now, facts.collection):
        return Level.NO_DATA, f"last asked {ago(facts.now, node.visited_at)}"
    return (Level.OK, "up") if node.is_up else (Level.CRITICAL, "down")


def _panel_view(snapshot: Snapshot, node: StoredNode, facts: Facts) -> PanelView:
    run = stored_run(snapshot, node)
    level, status = _judged(snapshot, run, facts)
    is_off = run.status in _CALM
    return PanelView(
        panel=name(snapshot.panel),
        host=name(snapshot.host),
        level=level,
        status=status,
        age="" if is_off else ago(facts.now, snapshot.collected_at),
        message="" if run.status in (Status.OK, Status.DISABLED) else text(told(run)),
    )


def _judged(snapshot: Snapshot, run: NodeRun, facts: Facts) -> tuple[Level, str]:
    if run.status in _CALM:
        return Level.CALM, run.status.value
    if run.status is not Status.OK:
        return Level.WARNING, run.status.value.replace("_", " ")
    if snapshot.panel.startswith(_OF_RULES) or is_fresh_panel(snapshot, facts.now, facts.collection):
        return Level.OK, "ok"
    return Level.NO_DATA, "stale"

"""A cluster as the landing page shows it: its score, and what is wrong with watching it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from api.collector import CollectorStatus, visited_lately
from api.landing.facts import ClusterFacts, Facts
from api.landing.nodes import board, node_view
from api.landing.places import Places
from api.landing.views import ClusterView, ComponentView, Level, ago, counted, lasted, name, text
from api.resources.overview import ClusterOverviewItem
from clustersight.health import grade as grade_of
from clustersight.notify import wording
from clustersight.plans import FRESH_INTERVALS

# A score explains itself in its first lines.
MOST_DEDUCTIONS = 5
MOST_NODES = 30
START_EXPORTER = "is the exporter running?"
_GRADES = {"A": Level.OK, "B": Level.OK, "C": Level.WARNING}
# The worst first.
RANK = (Level.CRITICAL, Level.NO_DATA, Level.WARNING, Level.OK)


def view(one: ClusterFacts, facts: Facts, places: Places) -> ClusterView:
    item, shown = one.item, board(one, facts)
    nodes = [node_view(node, facts) for node in one.nodes]
    up = sum(node.level is Level.OK for node in nodes)
    bad = sorted((n for n in nodes if n.level is not Level.OK), key=lambda n: (RANK.index(n.level), n.host))
    calm = [node for node in nodes if node.level is Level.OK]
    parts, off = _parts(one), tuple(islice(_deductions(one), MOST_DEDUCTIONS))
    is_known = item.health_score is not None
    return ClusterView(
        id=item.id,
        name=name(item.name),
        level=_level(item, is_troubled=bool(bad or shown.troubled or one.refusal)),
        score=wording.number(item.health_score) if item.health_score is not None else "?",
        grade=item.grade or "no score",
        score_level=_score_level(item),
        about=tuple(_about(item, facts.now, one)),
        why=_why(one, facts),
        components=parts if is_known else (),
        deductions=off if is_known else (),
        nodes=(*bad, *calm)[:MOST_NODES],
        more_nodes=max(0, len(nodes) - MOST_NODES),
        node_counts=f"{up} of {counted(len(nodes), 'node')} up" if nodes else "no node known",
        troubled=shown.troubled,
        more_troubled=shown.more_troubled,
        calm=shown.calm,
        more_calm=shown.more_calm,
        panel_counts=shown.counts,
        links=tuple(places.of_cluster(item.id, item.name)),
    )


def is_dark(item: ClusterOverviewItem) -> bool:
    """Whether nothing is known of how a cluster is now, whatever fired before."""
    return item.health_score is None or item.collector_status is not CollectorStatus.ONLINE


def level_of(item: ClusterOverviewItem) -> Level:
    """What /overview alone says of a cluster."""
    if item.alert_counts.critical:
        return Level.CRITICAL
    if is_dark(item):
        return Level.NO_DATA
    scored = _score_level(item)
    return Level.WARNING if scored is Level.OK and item.alert_counts.warning else scored


def _score_level(item: ClusterOverviewItem) -> Level:
    if item.health_score is None:
        return Level.NO_DATA
    return _GRADES.get((item.grade or "F")[0], Level.CRITICAL)


def _level(item: ClusterOverviewItem, *, is_troubled: bool) -> Level:
    found = level_of(item)
    return Level.WARNING if found is Level.OK and is_troubled else found


def _about(item: ClusterOverviewItem, now: float, one: ClusterFacts) -> Iterator[str]:
    yield name(f"{item.host}:{item.port}")
    if item.version:
        yield name(f"ClickHouse {item.version}")
    if item.health_score is not None and one.score is not None:
        yield f"scored {ago(now, one.score.at)}"


def _why(one: ClusterFacts, facts: Facts) -> str:
    """Why less is known than should be; empty where all is well with it."""
    if one.refusal:
        return f"It is not watched: {text(one.refusal)}"
    status = one.item.collector_status
    if status is CollectorStatus.PENDING:
        return f"Nobody has looked yet; {START_EXPORTER}"
    if status is CollectorStatus.OFFLINE:
        return _offline(one, facts)
    if one.item.health_score is None:
        return _unscored(one, facts)
    return ""


def _offline(one: ClusterFacts, facts: Facts) -> str:
    lately = [node for node in one.nodes if visited_lately(node, facts.now, facts.collection)]
    if not lately:
        last = max(node.visited_at for node in one.nodes)
        return f"Nobody has looked for {lasted(facts.now - last)}: what stands here is old; {START_EXPORTER}"
    return "No node answers."


def _unscored(one: ClusterFacts, facts: Facts) -> str:
    if one.score is None:
        return "The score is not computed yet: it comes with the first full collection."
    if facts.now - one.score.at > FRESH_INTERVALS * facts.collection.interval_sec:
        return f"The last score is {lasted(facts.now - one.score.at)} old, and says nothing any more."
    return "Too little is known for a score; the panels below say why."


def _components(one: ClusterFacts) -> Mapping[str, Any]:
    found: Mapping[str, Any] = one.score.explanation.get("components", {}) if one.score else {}
    return found


def _parts(one: ClusterFacts) -> tuple[ComponentView, ...]:
    return tuple(_part(part) for part in _components(one).values())


def _part(part: Mapping[str, Any]) -> ComponentView:
    score = part["score"]
    note = part["note"] or "; ".join(part["missing"])
    if score is None:
        return ComponentView(name(part["label"]), Level.NO_DATA, "unknown", None, name(note))
    level = _GRADES.get(grade_of(score)[0], Level.CRITICAL)
    return ComponentView(name(part["label"]), level, wording.number(round(score, 1)), score, name(note))


def _deductions(one: ClusterFacts) -> Iterator[tuple[str, str]]:
    """Points and reason, the most expensive first."""
    all_: Sequence[Mapping[str, Any]] = [off for p in _components(one).values() for off in p["deductions"]]
    for off in sorted(all_, key=lambda off: -off["points"]):
        labels = off["labels"]
        table = f"{labels['database']}.{labels['table']}" if {"database", "table"} <= labels.keys() else ""
        beside = f" ({table})" if table and table not in off["reason"] else ""
        yield f"-{wording.number(round(off['points'], 1))}", text(off["reason"] + beside)

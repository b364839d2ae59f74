"""The first line of the landing page: what is wrong, or that nothing is known (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api.alerts.shapes import AlertStatus
from api.landing.clusters import is_dark, level_of
from api.landing.facts import Facts
from api.landing.views import ClusterView, Level, Verdict, counted
from api.rules.shapes import AlertSeverity

NOTHING = "No cluster is watched yet"


def verdict(facts: Facts, shown: Sequence[ClusterView]) -> Verdict:
    """By the worst of everything; `shown` are the clusters that are on the page."""
    level, headline = _headline(facts, shown)
    return Verdict(level, headline, tuple(_remarks(facts)))


def unreadable(why: str) -> Verdict:
    """The store cannot be read."""
    return Verdict(Level.NO_DATA, "Nothing can be said: the store cannot be read", (why,))


def _headline(facts: Facts, shown: Sequence[ClusterView]) -> tuple[Level, str]:
    critical, warnings = (_number(facts, one) for one in (AlertSeverity.CRITICAL, AlertSeverity.WARNING))
    if critical:
        beside = f", {counted(warnings, 'warning')}" if warnings else ""
        return Level.CRITICAL, counted(critical, "critical alert") + beside
    if not facts.items:
        return Level.NO_DATA, NOTHING
    dark = _dark(facts)
    if dark:
        return Level.NO_DATA, f"No current data of {_share(dark, facts)}"
    if warnings:
        return Level.WARNING, counted(warnings, "warning")
    if not facts.has_alerter:
        return Level.NO_DATA, "Nothing is judged: no alerter is running"
    return _calm(_levels(facts, shown), facts)


def _calm(levels: Sequence[Level], facts: Facts) -> tuple[Level, str]:
    """Without alerts, by the clusters alone."""
    troubled = sum(level is not Level.OK for level in levels)
    if not troubled:
        return Level.OK, "All is well: no alert fires"
    worst = Level.CRITICAL if Level.CRITICAL in levels else Level.WARNING
    return worst, f"No alert fires, but look at {_share(troubled, facts)}"


def _remarks(facts: Facts) -> Iterator[str]:
    if not facts.items:
        return
    dark = _dark(facts)
    if dark and any(facts.alert_counts.values()):
        yield f"No current data of {_share(dark, facts)}: what fires there may be old, and more may be wrong."
    if not facts.has_exporter:
        yield "No exporter is running: nothing new is read. Start it: clustersight exporter."
    if not facts.has_alerter:
        yield "No alerter is running: nothing new fires or resolves. Start it: clustersight alerter."
    acknowledged = sum(n for (s, _), n in facts.alert_counts.items() if s is AlertStatus.ACKNOWLEDGED)
    if acknowledged:
        yield f"Acknowledged: {acknowledged} of {counted(sum(facts.alert_counts.values()), 'alert')}."


def _levels(facts: Facts, shown: Sequence[ClusterView]) -> list[Level]:
    """Of every cluster; of those on the page with what their nodes and panels add."""
    seen = {cluster.id: cluster.level for cluster in shown}
    return [seen.get(item.id) or level_of(item) for item in facts.items]


def _dark(facts: Facts) -> int:
    return sum(is_dark(item) for item in facts.items)


def _share(number: int, facts: Facts) -> str:
    whole = len(facts.items)
    if whole == 1:
        return "the only cluster"
    return f"all {whole:,} clusters" if number == whole else f"{number:,} of {whole:,} clusters"


def _number(facts: Facts, severity: AlertSeverity) -> int:
    return sum(number for (_, one), number in facts.alert_counts.items() if one is severity)

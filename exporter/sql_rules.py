"""The users' SQL rules as panels of the clusters that they look at."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from clustersight.alerts.readings import takes_cluster
from clustersight.effective import Effective
from clustersight.logs import event
from clustersight.panels.panel import Panel, Scope
from clustersight.panels.sql_rule import panel_of
from clustersight.rules.rule import SQL_PREFIX, Rule, RunOn
from clustersight.store.snapshots import MOST_NAME, Snapshot

log = logging.getLogger(__name__)

# By the name of the panel.
RulePanels = Mapping[str, Panel]


def panels_by_cluster(found: Effective) -> dict[str, RulePanels]:
    """The panels of each cluster's SQL rules, by the cluster's name."""
    made = [_panel(rule) for rule in found.sql_rules if _can_be_stored(rule)]
    panels: dict[str, RulePanels] = {}
    for cluster, cluster_id in found.ids.items():
        wanted = names_of(found, cluster, cluster_id)
        panels[cluster] = {panel.name: panel for panel in made if panel.name in wanted}
    return panels


def names_of(found: Effective, cluster: str, cluster_id: str) -> frozenset[str]:
    """The panels of the SQL rules that look at a cluster."""
    looking = (
        rule
        for rule in found.sql_rules
        if (not rule.cluster_ids or cluster_id in rule.cluster_ids) and takes_cluster(rule.match, cluster)
    )
    return frozenset(SQL_PREFIX + rule.name for rule in looking)


def _panel(rule: Rule) -> Panel:
    return panel_of(SQL_PREFIX + rule.name, rule.sql or "", on_each=rule.run_on is RunOn.EACH)


def _can_be_stored(rule: Rule) -> bool:
    fits = MOST_NAME is None or len(SQL_PREFIX + rule.name) <= MOST_NAME
    if not fits:
        most = (MOST_NAME or 0) - len(SQL_PREFIX)
        event(
            log, logging.ERROR, f"SQL rule is not run; shorten its name to {most} characters", rule=rule.name
        )
    return fits


def is_removed(panel: str, names: Collection[str]) -> bool:
    """Whether a panel is of a SQL rule that is not among these."""
    return panel.startswith(SQL_PREFIX) and panel not in names


def is_over(snapshot: Snapshot, panels: RulePanels, configured: Collection[str]) -> bool:
    """Whether a snapshot is of a SQL rule that no longer runs there; `configured` are hosts."""
    panel = panels.get(snapshot.panel)
    elsewhere = panel is not None and panel.scope is Scope.CLUSTER and snapshot.host not in configured
    return elsewhere or is_removed(snapshot.panel, panels)

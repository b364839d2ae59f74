"""Which panels one visit runs, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from clustersight.panels.panel import Panel, Scope, Tier
from exporter.fleet import Target
from exporter.sql_rules import RulePanels


def panels_of_visit(panels: Sequence[Panel], rules: RulePanels, target: Target, *, slow: bool) -> list[Panel]:
    """Those of a target that are due; `slow`: tier 2 is. SQL rules come last."""
    return [panel for panel in (*panels, *_quickest_first(rules, target)) if _belongs(panel, target, slow)]


def _quickest_first(rules: RulePanels, target: Target) -> list[Panel]:
    """So that of statements that share what is left of a visit a slow one starves none that is quicker."""
    took = {name: run.duration_seconds for name, run in target.runs.items()}
    return sorted(rules.values(), key=lambda panel: took.get(panel.name, 0.0))


def _belongs(panel: Panel, target: Target, slow: bool) -> bool:
    if panel.scope is Scope.CLUSTER and not target.node.is_configured:
        return False
    return panel.tier is Tier.ONE or slow

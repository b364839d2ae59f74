"""Lint of dashboards as they are in git: the rules of grafana/dashboard-linter that fit, and some of our own.

Ported: template-datasource, template-label-promql, template-on-time-change-reload, uneditable,
panel-datasource, panel-title-description, panel-units, panel-no-targets, target-promql,
target-rate-interval, target-counter-agg. Its rules on job and instance are here on cluster and host; those
on LogQL have nothing to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from grafana.lint import of_dashboard, of_panel, of_query
from grafana.lint.finding import Finding, Json

__all__ = ["Finding", "lint", "rule_names"]

_OF_DASHBOARD: tuple[Callable[[Json], Iterator[str]], ...] = (
    of_dashboard.template_datasource,
    of_dashboard.template_datasource_of_variables,
    of_dashboard.template_cluster,
    of_dashboard.template_label_promql,
    of_dashboard.template_on_time_change_reload,
    of_dashboard.uneditable,
    of_dashboard.stable_uid,
    of_dashboard.description,
    of_dashboard.links,
    of_dashboard.firing_annotations,
    of_dashboard.layout,
)
_OF_PANEL: tuple[Callable[[Json], Iterator[str]], ...] = (
    of_panel.panel_datasource,
    of_panel.panel_title_description,
    of_panel.panel_units,
    of_panel.panel_no_targets,
    of_panel.panel_ref_ids,
    of_panel.panel_no_value,
    of_panel.panel_thresholds,
)
_OF_QUERY: tuple[Callable[[str, frozenset[str]], Iterator[str]], ...] = (
    of_query.target_promql,
    of_query.target_catalogue,
    of_query.target_rate_interval,
    of_query.target_cluster,
    of_query.target_host,
    of_query.target_counter_agg,
    of_query.target_quantile_agg,
)


def rule_names() -> list[str]:
    """The names of all rules."""
    return [*map(_name, _OF_DASHBOARD), *map(_name, _OF_PANEL), *map(_name, _OF_QUERY)]


def lint(dashboard: Json) -> list[Finding]:
    """What is wrong with a dashboard of our making, as JSON, in a stable order; empty if nothing is."""
    return sorted(_findings(dashboard))


def _findings(dashboard: Json) -> Iterator[Finding]:
    uid = str(dashboard.get("uid", "?"))
    for rule in _OF_DASHBOARD:
        yield from (Finding(uid, "", _name(rule), message) for message in rule(dashboard))
    names = frozenset(one["name"] for one in of_dashboard.variables(dashboard, "query"))
    for panel in of_dashboard.panels(dashboard):
        for check in _OF_PANEL:
            yield from (Finding(uid, panel["title"], _name(check), message) for message in check(panel))
        yield from _of_queries(uid, panel, names)
    for one in dashboard["annotations"]["list"]:
        yield from _of_expr(uid, f"annotation {one['name']}", one["expr"], names)


def _of_queries(uid: str, panel: Json, names: frozenset[str]) -> Iterator[Finding]:
    for target in panel.get("targets", []):
        yield from _of_expr(uid, f"{panel['title']} ({target['refId']})", target["expr"], names)


def _of_expr(uid: str, place: str, expr: str, names: frozenset[str]) -> Iterator[Finding]:
    for rule in _OF_QUERY:
        yield from (Finding(uid, place, _name(rule), message) for message in rule(expr, names))


def _name(rule: Callable[..., Iterator[str]]) -> str:
    return rule.__name__.replace("_", "-")

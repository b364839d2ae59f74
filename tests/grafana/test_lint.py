"""Each lint rule finds what it is for: a good dashboard is broken in one way, and that rule alone says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from grafana.boards import ALL
from grafana.frame import text
from grafana.lint import lint, rule_names

Json = dict[str, Any]
# One with both variables, and with panels of every kind.
GOOD = next(board for board in ALL if board.uid == "clustersight-cluster")


def variable(dashboard: Json, name: str) -> Json:
    found: Json = next(one for one in dashboard["templating"]["list"] if one["name"] == name)
    return found


def stat(dashboard: Json) -> Json:
    found: Json = next(panel for panel in dashboard["panels"] if panel["type"] == "stat")
    return found


def asks(expr: str) -> Callable[[Json], None]:
    """A query of the dashboard becomes this one."""

    def change(dashboard: Json) -> None:
        stat(dashboard)["targets"][0]["expr"] = expr

    return change


def sets(choose: Callable[[Json], Json], key: str, value: Any) -> Callable[[Json], None]:
    def change(dashboard: Json) -> None:
        choose(dashboard)[key] = value

    return change


def whole(dashboard: Json) -> Json:
    return dashboard


def defaults(dashboard: Json) -> Json:
    found: Json = stat(dashboard)["fieldConfig"]["defaults"]
    return found


def twice(dashboard: Json) -> None:
    stat(dashboard)["targets"] *= 2


CHOSEN = 'cluster=~"$cluster",host=~"$host"'
BROKEN: dict[str, list[Callable[[Json], None]]] = {
    "template-datasource": [sets(lambda one: variable(one, "datasource"), "label", "Prom")],
    "template-datasource-of-variables": [
        sets(lambda one: variable(one, "host"), "datasource", {"type": "prometheus", "uid": "prod"})
    ],
    "template-cluster": [
        sets(lambda one: variable(one, "cluster"), "multi", False),
        sets(lambda one: variable(one, "cluster"), "allValue", None),
    ],
    "template-label-promql": [
        sets(lambda one: variable(one, "host"), "query", {"query": "label_values(clickhouse_up{, host)"}),
        sets(lambda one: variable(one, "host"), "query", {"query": "label_values(clickhouse_up, cluster)"}),
        sets(lambda one: variable(one, "host"), "query", {"query": "metrics(clickhouse)"}),
    ],
    "template-on-time-change-reload": [sets(lambda one: variable(one, "host"), "refresh", 1)],
    "uneditable": [sets(whole, "editable", True)],
    "stable-uid": [sets(whole, "uid", "fleet"), sets(whole, "id", 7)],
    "description": [sets(whole, "description", ""), sets(whole, "tags", [])],
    "links": [sets(whole, "links", []), sets(lambda one: one["links"][0], "keepTime", False)],
    "firing-annotations": [
        sets(lambda one: one["annotations"]["list"][0]["datasource"], "uid", "prod"),
        sets(lambda one: one["annotations"], "list", []),
        sets(lambda one: one["annotations"]["list"][0], "textFormat", ""),
    ],
    "layout": [
        sets(stat, "id", 1),
        sets(lambda one: stat(one)["gridPos"], "x", 22),
        sets(lambda one: stat(one)["gridPos"], "w", 9),
    ],
    "panel-datasource": [
        sets(stat, "datasource", {"type": "prometheus", "uid": "prod"}),
        sets(lambda one: stat(one)["targets"][0], "datasource", None),
    ],
    "panel-title-description": [sets(stat, "description", ""), sets(stat, "description", "No sentence")],
    "panel-units": [sets(defaults, "unit", "parsecs"), sets(defaults, "unit", None)],
    "panel-no-targets": [sets(stat, "targets", [])],
    "panel-ref-ids": [twice],
    "panel-no-value": [sets(defaults, "noValue", "")],
    "panel-thresholds": [
        sets(lambda one: defaults(one)["thresholds"], "steps", [{"color": "red", "value": 1}]),
        sets(lambda one: defaults(one)["thresholds"], "steps", []),
    ],
    "target-promql": [asks("sum(clickhouse_up"), asks("")],
    "target-catalogue": [asks("clickhouse_upp"), asks("node_load1"), asks('{job="x"}')],
    "target-rate-interval": [
        asks(f"sum(rate(clickhouse_errors_total{{{CHOSEN}}}[5m]))"),
        asks(f"sum(1 + irate(clickhouse_errors_total{{{CHOSEN}}}[30s]))"),
    ],
    "target-cluster": [asks('sum(clickhouse_up{host=~"$host"})'), asks("clickhouse_health_score")],
    "target-host": [asks('sum(clickhouse_up{cluster=~"$cluster"})')],
    "target-counter-agg": [
        asks(f"sum(clickhouse_errors_total{{{CHOSEN}}})"),
        asks(f"max_over_time(clickhouse_errors_total{{{CHOSEN}}}[5m])"),
    ],
    "target-quantile-agg": [
        asks(f"avg(clickhouse_query_duration_seconds{{{CHOSEN}}})"),
        asks(f"sum by (cluster) (2 * clickhouse_query_duration_seconds{{{CHOSEN}}})"),
        asks(f"sum without (quantile) (clickhouse_query_duration_seconds{{{CHOSEN}}})"),
        asks(f'sum without (host) (clickhouse_query_duration_seconds{{quantile="0.5",{CHOSEN}}})'),
    ],
}


def test_every_rule_is_tried_here() -> None:
    assert sorted(BROKEN) == sorted(rule_names())


@pytest.mark.parametrize(
    ("rule", "change"), [(rule, change) for rule, changes in BROKEN.items() for change in changes]
)
def test_a_rule_finds_what_it_is_for_and_no_other_does(rule: str, change: Callable[[Json], None]) -> None:
    dashboard: Json = json.loads(text(GOOD))
    assert lint(dashboard) == []

    change(dashboard)

    assert {finding.rule for finding in lint(dashboard)} == {rule}


def test_a_finding_says_where_it_is() -> None:
    dashboard: Json = json.loads(text(GOOD))
    asks("clickhouse_upp")(dashboard)

    assert [str(finding) for finding in lint(dashboard)] == [
        "clustersight-cluster: Score (A): names clickhouse_upp, which is not in the catalogue [target-catalogue]"  # noqa: E501
    ]

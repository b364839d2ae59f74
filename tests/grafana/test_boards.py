"""The dashboards are what the code builds, survive Grafana's own models, and have the rules' thresholds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from clustersight.health.grades import grade
from clustersight.metric_keys import metric_keys
from clustersight.metrics import Kind
from clustersight.panels import ALL as PANELS
from clustersight.panels.panel import Tier
from clustersight.rules.pack import built_in
from grafana.boards import ALL
from grafana.fields import grade_words
from grafana.frame import Board, text
from grafana.lint import lint
from grafana.lint.expressions import RATE_INTERVAL, selectors
from grafana.marks import FIELDS, unmarked
from grafana.panels import Content, Row, Stat, Table
from grafana.queries import Query, UnknownFamilyError, scoped
from grafana.thresholds import LEAST, seen_by, steps_of, steps_of_count

ROOT = Path(__file__).parents[2]
FILES = ROOT / "grafana" / "dashboards"
BOTH = frozenset({"cluster", "host"})
each_board = pytest.mark.parametrize("board", ALL, ids=lambda board: board.uid)


def made(board: Board) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(board))
    return found


@each_board
def test_the_file_is_what_the_code_builds(board: Board) -> None:
    assert (FILES / board.file_name).read_text("utf-8") == text(board), "run `make generate`"


def test_there_is_a_file_for_each_dashboard_and_no_other() -> None:
    assert {file.name for file in FILES.iterdir()} == {board.file_name for board in ALL}


@each_board
def test_grafanas_models_give_back_what_they_get(board: Board) -> None:
    register_default_plugins()
    written = made(board)

    again = json.loads(json.dumps(Dashboard.from_json(json.loads(text(board))), cls=JSONEncoder))

    assert again == unmarked(written)


@each_board
def test_a_mark_on_a_graph_says_which_alert_fires_where(board: Board) -> None:
    """Grafana shows neither title nor text of an annotation of Prometheus that does not say which."""
    (mark,) = made(board)["annotations"]["list"]

    assert (mark["titleFormat"], mark["textFormat"]) == ("{{alertname}}", "{{severity}} in {{cluster}}")
    assert {key for key in mark if key not in unmarked(made(board))["annotations"]["list"][0]} == set(FIELDS)


@each_board
def test_lint_finds_nothing(board: Board) -> None:
    assert [str(finding) for finding in lint(made(board))] == []


def test_uids_and_titles_are_those_that_people_know() -> None:
    """Bookmarks, links and messages hang on the uids: they are never renamed."""
    assert {board.uid: board.title for board in ALL} == {
        "clustersight-fleet": "ClickHouse fleet",
        "clustersight-cluster": "ClickHouse cluster",
        "clustersight-replication": "ClickHouse replication",
        "clustersight-parts": "ClickHouse parts and merges",
        "clustersight-storage": "ClickHouse storage",
        "clustersight-queries": "ClickHouse queries",
        "clustersight-keeper": "ClickHouse Keeper",
        "clustersight-alerts": "ClickHouse alerts",
        "clustersight-self": "ClusterSight itself",
    }


@each_board
def test_links_within_grafana_lead_to_dashboards_that_exist(board: Board) -> None:
    uids = {other.uid for other in ALL}
    linked = {link.split("/")[2].split("?")[0] for link in _links(made(board)) if link.startswith("/d/")}

    assert linked <= uids


def _links(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "url" and isinstance(value, str))
        for value in node.values():
            yield from _links(value)
    elif isinstance(node, list):
        for value in node:
            yield from _links(value)


@each_board
def test_every_threshold_is_one_of_the_packs(board: Board) -> None:
    """Whatever the unit of the panel: 85 of a rule is 0.85 on a panel of shares."""
    known = {rule.threshold / scale for rule in built_in().rules for scale in (1, 100, 1000)}
    used = {value for value in _threshold_values(made(board)) if value is not None}

    assert used <= known | {1.0, LEAST}


def _threshold_values(node: Any) -> Iterator[float | None]:
    if isinstance(node, dict):
        if "steps" in node:
            yield from (step["value"] for step in node["steps"])
        for value in node.values():
            yield from _threshold_values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _threshold_values(value)


@pytest.mark.parametrize(
    ("rule", "unit", "steps"),
    [
        ("DiskUsage", "percentunit", [(None, "green"), (0.85, "orange"), (0.93, "red")]),
        ("DiskUsageCritical", "percent", [(None, "green"), (85, "orange"), (93, "red")]),
        # The two are of different keys: each panel has its own.
        ("PartsPressure", "percentunit", [(None, "green"), (0.8, "orange")]),
        ("PartsPressureCritical", "percentunit", [(None, "green"), (0.7, "red")]),
        ("ReplicationLag", "s", [(None, "green"), (300, "orange"), (900, "red")]),
        ("HealthScoreLow", "short", [(None, "orange"), (60, "green")]),
        ("DiskWillFill", "h", [(None, "red"), (4, "orange"), (24, "green")]),
        ("KeeperOffline", "short", [(None, "red"), (1, "green")]),
        ("InsertsRejected", "cpm", [(None, "green"), (LEAST, "red")]),
    ],
)
def test_thresholds_are_those_of_the_rules(
    rule: str, unit: str, steps: list[tuple[float | None, str]]
) -> None:
    assert [(step.value, step.color) for step in steps_of(rule, unit)] == steps


def test_one_of_what_a_rule_fires_for_is_as_bad_as_the_rule() -> None:
    assert [(step.value, step.color) for step in steps_of_count("ReplicaReadonly")] == [
        (None, "green"),
        (1, "red"),
    ]


def test_a_rule_that_the_pack_does_not_have_is_an_error() -> None:
    with pytest.raises(ValueError, match="there is no built-in rule DiskUsege"):
        steps_of("DiskUsege", "short")


def test_a_family_gets_the_selectors_of_the_labels_that_it_has() -> None:
    expr = (
        'rate(clickhouse_queries_total{kind="select"}[5m]) / clickhouse_health_score + clustersight_store_up'
    )

    assert scoped(expr, BOTH) == (
        'rate(clickhouse_queries_total{kind="select",cluster=~"$cluster",host=~"$host"}[5m])'
        ' / clickhouse_health_score{cluster=~"$cluster"} + clustersight_store_up'
    )
    assert scoped("clickhouse_up", frozenset({"cluster"})) == 'clickhouse_up{cluster=~"$cluster"}'


def test_what_one_node_tells_of_the_cluster_is_not_hidden_by_the_choice_of_hosts() -> None:
    assert scoped("clickhouse_keeper_quorum", BOTH) == 'clickhouse_keeper_quorum{cluster=~"$cluster"}'


def test_the_label_cluster_of_the_alerters_own_metric_is_chosen_too() -> None:
    expr = "clustersight_alerter_firing_alerts"

    assert scoped(expr, BOTH) == f'{expr}{{cluster=~"$cluster"}}'


def test_a_name_that_the_catalogue_does_not_have_stops_the_build() -> None:
    stat = Stat(title="T", about="A.", query=Query("clickhouse_upp"))
    board = Board("clustersight-x", "X", "X.", (Row("R", (stat,)),))

    with pytest.raises(UnknownFamilyError, match="clickhouse_upp is not in the catalogue"):
        text(board)


@pytest.mark.parametrize("score", [100.0, 95.0, 94.99, 87.4, 70.0, 59.9, 40.0, 39.9, 0.0])
def test_a_grade_on_a_dashboard_is_the_scores_own(score: float) -> None:
    ranges = [one.to_json()["options"].to_json() for one in grade_words()]  # type: ignore[attr-defined]
    found = [one["result"].text for one in ranges if one["from"] <= score <= one["to"]]

    assert found == [grade(score)]


def test_the_unit_of_a_key_is_what_its_panel_shows() -> None:
    """A rule in percent on a panel of shares is divided by 100, and by nothing else."""
    assert metric_keys()["disk.usage_pct"].unit == "%"
    assert steps_of("DiskUsage", "short")[1].value == 85


def panels_of(board: Board) -> Iterator[Content]:
    yield from (panel for row in board.rows for panel in row.panels)


def coloured_by() -> set[str]:
    """The rules whose thresholds some panel or column has."""
    every = [panel for board in ALL for panel in panels_of(board)]
    columns = [column for panel in every if isinstance(panel, Table) for column in panel.columns]
    return {name for one in (*every, *columns) for name in (one.rule, one.counts) if name}


# Rules without a panel of their own thresholds, and where what they see is shown all the same.
SHOWN_OTHERWISE = {
    "MonitorIsolated": "the fleet's Nodes down",
    "VersionMismatch": "the words of Versions differ",
    "KeeperNodeDown": "the words of Each Keeper node",
    "ServerRestarted": "Restarts within an hour, with RestartLoop",
    "DistributionGrowing": "Files of Distributed tables that wait",
}


def test_whoever_is_woken_by_a_rule_finds_it_on_a_dashboard() -> None:
    shown = {rule.identity for rule in built_in().rules if rule.name in coloured_by()}
    missed = {rule.identity for rule in built_in().rules} - shown

    assert missed == set(SHOWN_OTHERWISE)


@pytest.mark.parametrize(
    "rule", ["DiskWillFill", "BrokenParts", "CapacityErrors", "CriticalErrors", "SlowQueries"]
)
def test_a_rule_of_what_is_computed_is_drawn_with_what_it_computes(rule: str) -> None:
    """A line where the alert fires, on a graph of something else, says nothing."""
    wanted = {scoped(seen_by(rule), BOTH)}
    exprs = [
        target["expr"]
        for board in ALL
        for panel in made(board)["panels"]
        for target in panel.get("targets", [])
    ]

    assert [expr for expr in exprs if any(one in expr for one in wanted)]


def test_what_a_rule_sees_has_its_match() -> None:
    assert 'type="hardware"' in seen_by("KeeperExceptions")
    assert "[$__rate_interval]" in seen_by("KeeperExceptions")


def test_no_rate_of_what_is_read_every_five_minutes_is_over_two() -> None:
    """It would be 0 most of the time, and far too much in between."""
    slow = {
        one.name
        for panel in PANELS
        if panel.tier is not Tier.ONE
        for one in panel.metrics
        if one.kind is Kind.COUNTER
    }
    found = [
        (board.uid, panel["title"])
        for board in ALL
        for panel in made(board)["panels"]
        for target in panel.get("targets", [])
        for one in selectors(target["expr"])
        if one.name in slow and one.window == RATE_INTERVAL
    ]

    assert slow
    assert found == []


def test_alerts_are_coloured_by_their_severity() -> None:
    assert [(step.value, step.color) for step in steps_of_count("critical")] == [(None, "green"), (1, "red")]
    assert [(step.value, step.color) for step in steps_of_count("warning")] == [
        (None, "green"),
        (1, "orange"),
    ]


def test_a_host_opens_in_its_own_cluster() -> None:
    board = next(one for one in ALL if one.uid == "clustersight-cluster")
    (link,) = [one for one in _links(made(board)) if "var-host=" in one]

    assert "var-cluster=${__data.fields.cluster:percentencode}" in link

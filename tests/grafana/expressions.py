"""Every expression that we ship: of dashboards, recording rules, and alerting rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
DASHBOARDS = ROOT / "grafana" / "dashboards"
PROMETHEUS = ROOT / "config" / "prometheus"
# What Grafana puts in; the tests' Prometheus scrapes every two seconds.
FILLED = {"$__rate_interval": "30s", "$cluster": ".*", "$host": ".*"}
_COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")
_SETS = ("or", "and", "unless")


@dataclass(frozen=True, slots=True)
class Shipped:
    """An expression as it is in the file, and where that is."""

    place: str
    expr: str

    @property
    def query(self) -> str:
        """With Grafana's variables filled in."""
        found = self.expr
        for name, value in FILLED.items():
            found = found.replace(name, value)
        return found


def of_dashboards() -> Iterator[Shipped]:
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text("utf-8"))
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield Shipped(f"{dashboard['uid']}: {panel['title']} ({target['refId']})", target["expr"])
        for one in dashboard["annotations"]["list"]:
            yield Shipped(f"{dashboard['uid']}: annotation {one['name']}", one["expr"])


def of_variables() -> Iterator[Shipped]:
    """label_values(FAMILY, LABEL): the family must be there."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text("utf-8"))
        for one in dashboard["templating"]["list"]:
            if one["type"] == "query":
                expr = one["query"]["query"].removeprefix("label_values(").rpartition(",")[0]
                yield Shipped(f"{dashboard['uid']}: variable {one['name']}", expr)


def of_rule_files() -> Iterator[Shipped]:
    for file in sorted((PROMETHEUS / "rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text("utf-8"))["groups"]:
            for rule in group["rules"]:
                yield Shipped(f"{file.name}: {rule.get('record') or rule['alert']}", rule["expr"])


def measured(expr: str) -> list[str]:
    """What an expression looks at before it compares: on calm clusters an alert has no data, and this has."""
    return [node.prettify() for node in _measured(promql_parser.parse(expr))]


def _measured(node: promql_parser.Expr) -> Iterator[promql_parser.Expr]:
    if isinstance(node, promql_parser.ParenExpr):
        yield from _measured(node.expr)
    elif isinstance(node, promql_parser.BinaryExpr) and str(node.op) in _COMPARISONS:
        yield from _measured(node.lhs)
    elif isinstance(node, promql_parser.BinaryExpr) and str(node.op) in _SETS:
        yield from _measured(node.lhs)
        yield from _measured(node.rhs)
    elif not _is_of_prometheus(node):
        yield node


def _is_of_prometheus(node: promql_parser.Expr) -> bool:
    """absent() of something has data where that has none; ALERTS has some while the alert fires."""
    if isinstance(node, promql_parser.Call):
        return node.func.name == "absent"
    return isinstance(node, promql_parser.VectorSelector) and node.name == "ALERTS"

"""PromQL as a tree, for the rules that look at queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser

# What Grafana puts in, as something that parses; an interval that no dashboard writes by itself.
RATE_INTERVAL = "4242s"
_VALUES = {"$__rate_interval": RATE_INTERVAL, "$__range": "3h", "$__interval": "30s"}


def filled(expr: str) -> str:
    """The expression with Grafana's own variables replaced; `$cluster` and `$host` are within strings."""
    for name, value in _VALUES.items():
        expr = expr.replace(name, value)
    return expr


@dataclass(frozen=True, slots=True)
class Selected:
    """A family in an expression, and what is around it, from the outermost to the nearest."""

    selector: promql_parser.VectorSelector
    around: tuple[promql_parser.Expr, ...]

    @property
    def name(self) -> str:
        return self.selector.name or ""

    @property
    def matched(self) -> dict[str, str]:
        """The values that labels are compared with, written as PromQL has them."""
        return {one.name: one.value for one in self.selector.matchers.matchers}

    @property
    def functions(self) -> list[str]:
        """The functions around it, the nearest last."""
        return [one.func.name for one in self.around if isinstance(one, promql_parser.Call)]

    @property
    def window(self) -> str:
        """The time that stands behind it, as rate() wants one, in seconds; empty without one."""
        nearest = self.around[-1] if self.around else None
        if not isinstance(nearest, promql_parser.MatrixSelector):
            return ""
        return f"{nearest.range.total_seconds():.0f}s"


def selectors(expr: str) -> Iterator[Selected]:
    """Every family of an expression. Raises ValueError if it does not parse."""
    yield from _within(promql_parser.parse(filled(expr)), ())


def _within(node: promql_parser.Expr, around: tuple[promql_parser.Expr, ...]) -> Iterator[Selected]:
    if isinstance(node, promql_parser.VectorSelector):
        yield Selected(node, around)
        return
    for child in _children(node):
        yield from _within(child, (*around, node))


def _children(node: promql_parser.Expr) -> list[promql_parser.Expr]:
    if isinstance(node, promql_parser.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql_parser.Call):
        return list(node.args)
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    return [node.expr] if hasattr(node, "expr") else []

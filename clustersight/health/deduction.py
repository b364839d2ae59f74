"""What takes points off a component, and what is left of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from clustersight.health.node import Found
from clustersight.health.thresholds import Line


@dataclass(frozen=True, slots=True)
class Deduction:
    """Points off, and the measured value behind them in the unit of the rule key.

    `labels` name the series, with `host` where it is one node's; `metric_key` is None for a family
    without a key.
    """

    points: float
    reason: str
    metric_key: str | None
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the score: 100 minus the points of its deductions, never below 0.

    `score` is None where half of its inputs are missing; what is known against it is still listed,
    and still holds the cluster's score down. `weight` is in percent of all components' weights.
    """

    name: str
    label: str
    score: float | None
    weight: float
    deductions: tuple[Deduction, ...] = ()
    missing: tuple[str, ...] = ()
    note: str = ""

    @property
    def at_most(self) -> float:
        """The score if nothing else is wrong than what is known."""
        return left_of(self.deductions)


def left_of(deductions: Iterable[Deduction]) -> float:
    """What is left of 100, never below 0."""
    return max(0.0, 100.0 - math.fsum(deduction.points for deduction in deductions))


def largest(*deductions: Deduction | None) -> Deduction | None:
    """The one with the most points, the first of equals; None where there is none."""
    return max(filter(None, deductions), key=lambda deduction: deduction.points, default=None)


def worst(line: Line, found: Iterable[Found], say: Callable[[float], str]) -> Deduction | None:
    """What the highest value costs. `line` and `say` take it in the unit of the rule key."""
    top = max(found, key=lambda one: one.value, default=None)
    points = line.at(top.value) if top else 0.0
    if top is None or not points:
        return None
    return Deduction(points, say(top.value), top.key, top.labels, top.value)


def number(value: float) -> str:
    """A figure for a sentence: 92.3, 600."""
    return f"{value:.1f}".removesuffix(".0")


def names(found: Iterable[str], most: int = 5) -> str:
    """A list for a sentence, cut where it gets long."""
    listed = list(dict.fromkeys(found))
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")

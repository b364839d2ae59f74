"""The kinds of panels that the dashboards are made of, as data: what is asked, its unit, and what is bad.

Every panel has a title, a description and a unit, and the thresholds of the rule that watches the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grafana.queries import Query

# A value that is 0 or 1, as words and colours.
UP: Mapping[str, tuple[str, str]] = {"0": ("down", "red"), "1": ("up", "green")}
OK: Mapping[str, tuple[str, str]] = {"0": ("failing", "red"), "1": ("ok", "green")}
YES: Mapping[str, tuple[str, str]] = {"0": ("no", "green"), "1": ("yes", "red")}
Mappings = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What all kinds share. `unit` is Grafana's id.

    `rule` names the built-in rule whose thresholds colour the value; `counts` the one that fires for each of
    what is counted, so that one is already as bad as the rule; of alerts it is their severity. `words`
    replaces values: `{"0": (text, colour)}`. `width` is of 24 columns, `height` in steps of about 30 pixels.
    """

    title: str
    about: str
    unit: str = "short"
    rule: str = ""
    counts: str = ""
    words: Mappings | None = None
    width: int = 8
    height: int = 8
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph(Shown):
    """Lines over time; `stacked` where their sum says something; `most` is where the axis ends."""

    queries: tuple[Query, ...]
    stacked: bool = False
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Shown):
    """One number, as it is now. `empty` is shown where there is no series: "no data" is never "ok"."""

    query: Query
    width: int = 4
    height: int = 4
    empty: str = "no data"
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Shown):
    """States over time, a row for each series."""

    query: Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: an expression, which is aggregated to the table's labels as `how` says.

    With an empty `how` it has these labels as it is.
    """

    name: str
    expr: str
    how: str = "max"
    unit: str = "short"
    rule: str = ""
    counts: str = ""
    words: Mappings | None = None
    grades: bool = False
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Shown):
    """A row for each set of labels, which all columns share. `links` are addresses by the name of a column.

    `sort` names the column by which the worst comes first; `falling` if that is the highest. `hidden` are
    labels that make a row and are not shown.
    """

    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    sort: str = ""
    falling: bool = True
    links: Mapping[str, str] | None = None
    width: int = 24


Content = Graph | Stat | Timeline | Table


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Content, ...]

"""Lint rules that look at one panel; most are those of grafana/dashboard-linter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache

from grafana_foundation_sdk.models import units

from grafana.lint.finding import Json

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def panel_datasource(panel: Json) -> Iterator[str]:
    """A panel and its queries use the data source that was chosen."""
    used = [panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", []))]
    if any(one != _DATASOURCE for one in used):
        yield "must use ${datasource}"


def panel_title_description(panel: Json) -> Iterator[str]:
    """A panel says what it shows, and what that means."""
    if not panel.get("title") or not panel.get("description", "").endswith("."):
        yield "needs a title, and a description in sentences"


def panel_units(panel: Json) -> Iterator[str]:
    """Every number has a unit that Grafana knows."""
    used = [panel["fieldConfig"]["defaults"].get("unit")]
    for override in panel["fieldConfig"]["overrides"]:
        used += [one["value"] for one in override["properties"] if one["id"] == "unit"]
    yield from (f"`{unit}` is no unit of Grafana's" for unit in used if unit not in _units())


@cache
def _units() -> frozenset[str]:
    named = [value for name, value in vars(units).items() if name[0].isupper()]
    return frozenset(value for value in named if isinstance(value, str))


def panel_no_targets(panel: Json) -> Iterator[str]:
    """A panel asks something."""
    if not panel.get("targets"):
        yield "has no queries"


def panel_ref_ids(panel: Json) -> Iterator[str]:
    """Queries of a panel can be told apart."""
    found = Counter(target["refId"] for target in panel.get("targets", []))
    yield from (f"the query {name} is there {count} times" for name, count in found.items() if count > 1)


def panel_no_value(panel: Json) -> Iterator[str]:
    """A number without data says so: it must not look like 0, nor like an empty square."""
    if panel["type"] == "stat" and not panel["fieldConfig"]["defaults"].get("noValue"):
        yield "must say what it means that there is no data (noValue)"


def panel_thresholds(panel: Json) -> Iterator[str]:
    """Steps rise, and the first has no value: else Grafana colours at random."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    values = [step["value"] for step in steps]
    if not values or values[0] is not None or values[1:] != sorted(values[1:]):
        yield f"needs thresholds that rise from none; has {values}"

"""Lint rules that look at a dashboard as a whole; most are those of grafana/dashboard-linter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import promql_parser

from grafana.frame import TAG, UID_START
from grafana.lint.expressions import filled
from grafana.lint.finding import Json

_LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")
_LONGEST_UID = 40
_COLUMNS = 24
_ON_TIME_RANGE = 2


def variables(dashboard: Json, kind: str) -> list[Json]:
    """The variables of one kind."""
    return [one for one in dashboard["templating"]["list"] if one["type"] == kind]


def panels(dashboard: Json) -> list[Json]:
    """The panels that show something: all but rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def template_datasource(dashboard: Json) -> Iterator[str]:
    """One variable chooses the data source."""
    found = [(one["name"], one.get("label"), one["query"]) for one in variables(dashboard, "datasource")]
    if found != [("datasource", "Data source", "prometheus")]:
        yield f"needs one variable `datasource`, labelled `Data source`, of Prometheus; has {found}"


def template_cluster(dashboard: Json) -> Iterator[str]:
    """One variable chooses clusters, many or all."""
    found = next((one for one in variables(dashboard, "query") if one["name"] == "cluster"), None)
    if found is None:
        yield "has no variable `cluster`"
    elif not (found["multi"] and found["includeAll"] and found.get("allValue") == ".*"):
        yield "the variable `cluster` must take several values and all (.*)"


def template_label_promql(dashboard: Json) -> Iterator[str]:
    """Values of variables come from label_values() of an expression that parses."""
    for one in variables(dashboard, "query"):
        found = _LABEL_VALUES.fullmatch(one["query"]["query"])
        if found is None or found[2] != one["name"]:
            yield f"the variable `{one['name']}` must be label_values(…, {one['name']})"
            continue
        try:
            promql_parser.parse(filled(found[1]))
        except ValueError as error:
            yield f"the variable `{one['name']}`: {error}"


def template_datasource_of_variables(dashboard: Json) -> Iterator[str]:
    """Variables ask the data source that was chosen."""
    for one in variables(dashboard, "query"):
        if one.get("datasource", {}).get("uid") != "${datasource}":
            yield f"the variable `{one['name']}` has a data source of its own"


def template_on_time_change_reload(dashboard: Json) -> Iterator[str]:
    """Variables are read again when the time range changes."""
    for one in variables(dashboard, "query"):
        if one.get("refresh") != _ON_TIME_RANGE:
            yield f"the variable `{one['name']}` must be refreshed on time range change (2)"


def uneditable(dashboard: Json) -> Iterator[str]:
    """What is made from code is not edited in Grafana."""
    if dashboard["editable"]:
        yield "must not be editable: the next push would undo it"


def stable_uid(dashboard: Json) -> Iterator[str]:
    """Links hang on the uid; ids and versions are the server's."""
    uid = dashboard.get("uid", "")
    if not uid.startswith(UID_START) or len(uid) > _LONGEST_UID:
        yield f"the uid `{uid}` must begin with `{UID_START}` and have at most {_LONGEST_UID} characters"
    yield from (f"`{name}` is the server's" for name in ("id", "version", "revision") if name in dashboard)


def description(dashboard: Json) -> Iterator[str]:
    """A dashboard says what it is for, and has the tag by which the others find it."""
    if not dashboard.get("description") or TAG not in dashboard["tags"]:
        yield f"needs a description and the tag `{TAG}`"


def links(dashboard: Json) -> Iterator[str]:
    """From each dashboard one comes to the others, with the same choice and time, and to the API."""
    others = [one for one in dashboard["links"] if one["type"] == "dashboards" and one["tags"] == [TAG]]
    if not others or not all(one["includeVars"] and one["keepTime"] for one in others):
        yield "needs a link to the other dashboards that keeps variables and time"
    if not any(one["url"].startswith("${api}/") for one in dashboard["links"]):
        yield "needs a link to the API"


def firing_annotations(dashboard: Json) -> Iterator[str]:
    """Firing alerts are marked, from the data source that was chosen, and a mark says which alert it is."""
    found = dashboard["annotations"]["list"]
    if not found or any(one["datasource"]["uid"] != "${datasource}" for one in found):
        yield "needs annotations for firing alerts, from ${datasource}"
    for one in found:
        if not (one.get("titleFormat") and one.get("textFormat")):
            yield f"the annotation `{one['name']}` says nothing without titleFormat and textFormat"


def layout(dashboard: Json) -> Iterator[str]:
    """Ids are unique, panels are within the grid and do not cover each other."""
    ids = Counter(panel["id"] for panel in dashboard["panels"])
    yield from (f"the panel id {one} is there {count} times" for one, count in ids.items() if count > 1)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        cells = _cells(panel["gridPos"])
        if taken & cells or any(x >= _COLUMNS for x, _ in cells):
            yield f"{panel['title']} covers another panel, or is beyond the edge"
        taken |= cells


def _cells(place: Json) -> set[tuple[int, int]]:
    xs, ys = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return {(x, y) for x in xs for y in ys}

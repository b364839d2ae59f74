"""Differences of dashboards: what the server adds is none, what anybody changes is one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grafana.differences import compare
from grafana.files import shipped

OURS = shipped()
ONE = OURS[0]
Path = tuple[Any, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where something is that is no container, or an empty one."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    below = [found for key, child in children for found in leaves(child, (*path, key))]
    yield from below or [path]


# Of the schema there is a test of its own: a newer one is Grafana's.
LEAVES = [[path for path in leaves(one) if path != ("schemaVersion",)] for one in OURS]
EXPRESSIONS = [[path for path in paths if path[-1] == "expr"] for paths in LEAVES]


def put(dashboard: Any, path: Path, value: Any) -> Any:
    found = copy.deepcopy(dashboard)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return found


def at(dashboard: Any, path: Path) -> Any:
    for key in path:
        dashboard = dashboard[key]
    return dashboard


@st.composite
def served(draw: st.DrawFn, dashboard: Any) -> Any:
    """The dashboard as a Grafana gives it back: with its own numbers, and with nulls for what is not set."""
    found = copy.deepcopy(dashboard)
    found |= {"id": draw(st.integers(1)), "version": draw(st.integers(1))}
    if draw(st.booleans()):
        found |= {"iteration": 1, "schemaVersion": found["schemaVersion"] + 3, "gnetId": None}
    if draw(st.booleans()):
        own = {"builtIn": 1, "name": "Annotations & Alerts", "type": "dashboard"}
        found["annotations"]["list"].insert(0, own)
    for panel in found["panels"]:
        panel.update(draw(st.sampled_from([{}, {"pluginVersion": "11.2.0"}, {"maxDataPoints": None}])))
    return found


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_what_the_server_adds_is_no_difference(data: st.DataObject) -> None:
    ours = data.draw(st.sampled_from(OURS))
    assert compare(ours, data.draw(served(ours))) == []


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_changed_expression_is_found_alone_in_its_panel(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(OURS) - 1))
    path = data.draw(st.sampled_from(EXPRESSIONS[number]))
    expr = data.draw(st.text(max_size=200).filter(lambda text: text != at(OURS[number], path)))
    [found] = compare(OURS[number], data.draw(served(put(OURS[number], path, expr))))
    assert found.place.endswith("expr")
    if path[0] == "panels":
        assert f'panel "{OURS[number]["panels"][path[1]]["title"]}"' in found.place


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_is_changed_is_found(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(OURS) - 1))
    path = data.draw(st.sampled_from(LEAVES[number]))
    old = at(OURS[number], path)
    # JSON as anybody may have it; equal numbers are equal, 1 and true are not.
    values = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.just([1]), st.just({"a": 1}))
    new = data.draw(values.filter(lambda new: new != old or isinstance(new, bool) != isinstance(old, bool)))
    assert compare(OURS[number], put(OURS[number], path, new))
    assert compare(put(OURS[number], path, new), OURS[number])


def test_each_kind_of_change_has_its_words() -> None:
    ours = {
        "title": "t",
        "panels": [
            {
                "title": "A",
                "id": 1,
                "gridPos": {"y": 0},
                "targets": [{"refId": "A", "expr": "x" * 100 + "1"}],
            },
            {"title": "B", "id": 2, "gridPos": {"y": 1}},
            {"title": "A", "id": 3, "gridPos": {"y": 2}, "unit": "s"},
        ],
        "templating": {"list": [{"name": "host", "multi": True}]},
        "annotations": {"list": [{"name": "Firing", "enable": True}]},
        "tags": ["a"],
    }
    theirs: Any = copy.deepcopy(ours)
    assert compare(ours, theirs) == []
    theirs["tags"] = ["a", "b"]
    theirs["templating"]["list"][0]["multi"] = 1
    theirs["annotations"]["list"][0]["enable"] = False
    theirs["panels"][0]["targets"][0]["expr"] = "x" * 100 + "2"
    theirs["panels"][2]["unit"] = None
    del theirs["panels"][1]
    theirs["panels"].insert(0, {"title": "C", "id": 4, "gridPos": {"y": 0}})
    theirs["panels"][1]["gridPos"] = {"y": 9}
    cut = "…" + "x" * 68
    assert [str(one) for one in compare(ours, theirs)] == [
        f'panel "A": query "A": expr: {cut}2" -> {cut}1"',
        'panel "B": not in Grafana',
        'panel "A" (2): unit: nothing -> "s"',
        'panel "C": only in Grafana',
        'variable "host": multi: 1 -> true',
        'annotation "Firing": enable: false -> true',
        'tags: ["a", "b"] -> ["a"]',
        'panel "A": another place, size or number',
    ]


def test_only_a_newer_schema_is_grafanas_own() -> None:
    assert compare({"schemaVersion": 36}, {"schemaVersion": 41}) == []
    [found] = compare({"schemaVersion": 36}, {"schemaVersion": 30})
    assert str(found) == "schemaVersion: 30 -> 36"


def test_another_order_is_a_difference() -> None:
    ours = {"panels": [{"title": "A"}, {"title": "B"}]}
    [found] = compare(ours, {"panels": [{"title": "B"}, {"title": "A"}]})
    assert str(found) == "panels: another order"


@pytest.mark.parametrize("panels", [None, 3, "x", [], [None, 1], [[]], {"a": 1}, [{"gridPos": 4}]])
def test_any_json_can_be_compared(panels: Any) -> None:
    assert compare(ONE, ONE | {"panels": panels})
    assert compare(ONE, {"annotations": {"list": [3]}, "schemaVersion": "x", "templating": []})

"""How a dashboard in Grafana differs from ours, in words; what the server adds by itself is no difference."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
# The number in the server's database, how often it was saved, and a counter of old versions.
_OF_SERVER = frozenset({"id", "version", "iteration"})
# What tells elements of a list apart, whatever their order.
_NAMES = ("title", "name", "refId", "id")
_NOUNS = {"panels": "panel", "targets": "query", "links": "link", "overrides": "override"}
_LISTS = {"templating.": "variable ", "annotations.": "annotation "}
_LONGEST_VALUE = 70
# So much is shown before the place where two long values begin to differ.
_BEFORE = 20
_MOST_MOVED = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """`place` is within the dashboard; `change` is `what Grafana has -> what is ours`."""

    place: str
    change: str

    def __str__(self) -> str:
        return f"{self.place}: {self.change}"


def compare(ours: Json, theirs: Json) -> list[Difference]:
    """Every difference, in the order of ours; none: they are the same. `theirs` may be any JSON object.

    A field that is null is as good as one that is not there. Places and numbers of panels are told in one.
    """
    mine, other = _without_server(ours, ours), _without_server(theirs, ours)
    moved = _moved(mine, other)
    return [*_of("", "", _placeless(mine), _placeless(other), joint=""), *moved]


def _without_server(dashboard: Json, ours: Json) -> Json:
    kept = {key: value for key, value in dashboard.items() if key not in _OF_SERVER}
    # Grafana migrates what it saves to the schema of its own version.
    if _number(kept.get("schemaVersion")) > _number(ours.get("schemaVersion")):
        kept["schemaVersion"] = ours.get("schemaVersion")
    annotations = kept.get("annotations")
    if isinstance(annotations, dict) and isinstance(annotations.get("list"), list):
        own = [one for one in annotations["list"] if not (isinstance(one, dict) and one.get("builtIn"))]
        kept["annotations"] = annotations | {"list": own}
    if isinstance(kept.get("panels"), list):
        kept["panels"] = [_without_plugin(panel) for panel in kept["panels"]]
    return kept


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


def _without_plugin(panel: Any) -> Any:
    """The version of the panel's kind is that of the Grafana that saved it."""
    if not isinstance(panel, dict):
        return panel
    return {key: value for key, value in panel.items() if key != "pluginVersion"}


def _placeless(dashboard: Json) -> Json:
    panels = dashboard.get("panels")
    if not isinstance(panels, list):
        return dashboard
    return dashboard | {"panels": [_without_place(panel) for panel in panels]}


def _without_place(panel: Any) -> Any:
    if not isinstance(panel, dict):
        return panel
    return {key: value for key, value in panel.items() if key not in ("gridPos", "id")}


def _moved(ours: Json, theirs: Json) -> list[Difference]:
    """A panel that comes in above moves all that are below it: that is one thing to read."""
    mine, other = _places(ours), _places(theirs)
    names = [name for name, place in mine.items() if name in other and _differs(place, other[name])]
    if not names:
        return []
    more = f" and {len(names) - _MOST_MOVED} more" if len(names) > _MOST_MOVED else ""
    return [Difference(f"panel {', '.join(names[:_MOST_MOVED])}{more}", "another place, size or number")]


def _places(dashboard: Json) -> dict[str, Any]:
    panels = dashboard.get("panels")
    if not isinstance(panels, list) or not all(isinstance(panel, dict) for panel in panels):
        return {}
    places = [[panel.get("gridPos"), panel.get("id")] for panel in panels]
    return dict(zip(_names(panels), places, strict=True))


def _differs(one: Any, other: Any) -> bool:
    return next(_of("", "", one, other), None) is not None


def _of(prefix: str, key: str, ours: Any, theirs: Any, *, joint: str = ".") -> Iterator[Difference]:
    place = f"{prefix}{key}"
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for child in [*ours, *(child for child in theirs if child not in ours)]:
            yield from _of(f"{place}{joint}", child, ours.get(child), theirs.get(child))
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield from _of_lists(prefix, key, ours, theirs)
    elif ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
        yield Difference(place or "it", _change(theirs, ours))


def _of_lists(prefix: str, key: str, ours: list[Any], theirs: list[Any]) -> Iterator[Difference]:
    place = f"{prefix}{key}"
    if _are_named([*ours, *theirs]):
        yield from _of_named(prefix, key, ours, theirs)
    elif len(ours) == len(theirs):
        for at, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _of(place, f"[{at}]", mine, other)
    else:
        yield Difference(place, _change(theirs, ours))


def _are_named(elements: Sequence[Any]) -> bool:
    return all(isinstance(one, dict) for one in elements) and any(_name(one) for one in elements)


def _of_named(prefix: str, key: str, ours: list[Any], theirs: list[Any]) -> Iterator[Difference]:
    mine, other = dict(zip(_names(ours), ours, strict=True)), dict(zip(_names(theirs), theirs, strict=True))
    start = _LISTS.get(prefix, prefix) if key == "list" else f"{prefix}{_NOUNS.get(key, key)} "
    for name in [*mine, *(name for name in other if name not in mine)]:
        yield from _of(start, name, mine.get(name), other.get(name), joint=": ")
    order = [name for name in other if name in mine]
    if order != [name for name in mine if name in other]:
        yield Difference(f"{prefix}{key}", "another order")


def _names(elements: Sequence[Json]) -> list[str]:
    """A name for each that no other has: the second `Parts` is `Parts (2)`."""
    seen: Counter[str] = Counter()
    found = []
    for one in elements:
        name = f'"{_name(one)}"'
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _name(one: Json) -> str:
    for key in _NAMES:
        if isinstance(one.get(key), str) and one[key]:
            return str(one[key])
    matcher = one.get("matcher")
    return str(matcher.get("options")) if isinstance(matcher, dict) else ""


def _change(theirs: Any, ours: Any) -> str:
    if theirs is None and isinstance(ours, dict):
        return "not in Grafana"
    if ours is None and isinstance(theirs, dict):
        return "only in Grafana"
    one, other = _text(theirs), _text(ours)
    at = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{_cut(one, at)} -> {_cut(other, at)}"


def _text(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _cut(text: str, at: int) -> str:
    """So much of a long text as shows what stands at a place."""
    if len(text) <= _LONGEST_VALUE:
        return text
    start = max(0, min(at - _BEFORE, len(text) - _LONGEST_VALUE))
    end = start + _LONGEST_VALUE
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"

"""From the tree of a test file to tests; everything that is wrong is noted with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from clustersight.notify.notice import NoticeKind
from clustersight.problem import unknown
from clustersight.rules import values
from clustersight.rules.places import UNUSABLE, Document, Spot
from clustersight.rules.testing import notation
from clustersight.rules.testing.cases import (
    DEFAULT_INTERVAL_SECONDS,
    Action,
    AlertCheck,
    Case,
    Deed,
    ExpectedAlert,
    ExpectedNotice,
    InputSeries,
    TestFile,
)
from clustersight.rules.testing.notation import NotationError
from clustersight.rules.values import Reader, kind

T = TypeVar("T")
_PLAIN = re.compile(r"[^\s,#\]}]+")
ANNOTATIONS = ("summary", "description", "runbook_url", "fix")
NOTICES = {
    one.value: one for one in (NoticeKind.FIRING, NoticeKind.RISE, NoticeKind.REPEAT, NoticeKind.RESOLVED)
}


def _texts(value: Any, spot: Spot) -> Any:
    """A mapping of names to texts, which may be empty."""
    if not isinstance(value, dict):
        return spot.wrong(f"must be a mapping (name: value), not {kind(value)}")
    found = {}
    for key, one in value.items():
        found[key] = one if isinstance(one, str) else spot.at(key).wrong(f"must be text, not {kind(one)}")
    return UNUSABLE if UNUSABLE in found.values() else found


def _labels(value: Any, spot: Spot) -> Any:
    found = _texts(value, spot)
    if found is not UNUSABLE and "alertname" in found:
        spot.at("alertname").wrong_key("stands beside exp_labels; leave it out here")
    return found


def _annotations(value: Any, spot: Spot) -> Any:
    found = _texts(value, spot)
    for name in found if found is not UNUSABLE else ():
        if name not in ANNOTATIONS:
            spot.at(name).wrong_key(unknown("annotation", name, ANNOTATIONS))
    return found


def _notice_kind(value: Any, spot: Spot) -> Any:
    if isinstance(value, str) and value in NOTICES:
        return NOTICES[value]
    return spot.wrong(unknown("kind", str(value), NOTICES))


def _as_written(spot: Spot) -> str:
    """A number as the file has it: YAML takes 0x5, which is six zeros here, for hexadecimal."""
    place = spot.document.tree.place(spot.keys)
    line = spot.document.tree.text.splitlines()[place.line - 1]
    found = _PLAIN.match(line, place.column - 1)
    return found.group() if found else ""


def _notation(read: Callable[[str], T]) -> Reader:
    """A reader of what promtool writes as text; a single number needs no quotes."""

    def reader(value: Any, spot: Spot) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = _as_written(spot) if number else value
        if not isinstance(text, str):
            return spot.wrong(f"must be text, not {kind(value)}")
        try:
            return read(text)
        except NotationError as error:
            document = spot.document
            document.wrong(spot.keys, error.message, document.place_within(spot.keys, text, error.position))
            return UNUSABLE

    return reader


_FILE: Mapping[str, Reader] = {
    "rule_files": values.anything,
    "evaluation_interval": values.interval,
    "group_eval_order": values.anything,  # promtool's; here no group waits for another one
    "fuzzy_compare": values.yes_or_no,  # promtool's; no value is compared here
    "tests": values.anything,
}
_CASE: Mapping[str, Reader] = {
    "name": values.text,
    "interval": values.interval,
    "input_series": values.anything,
    "alert_rule_test": values.anything,
    "exp_notifications": values.anything,
    "actions": values.anything,
}
_SERIES: Mapping[str, Reader] = {
    "series": _notation(notation.selector),
    "values": _notation(notation.points),
}
_CHECK: Mapping[str, Reader] = {
    "eval_time": values.duration,
    "alertname": values.name,
    "exp_alerts": values.anything,
}
_ALERT: Mapping[str, Reader] = {"exp_labels": _labels, "exp_annotations": _annotations}
_NOTICE: Mapping[str, Reader] = {
    "eval_time": values.duration,
    "alertname": values.name,
    "kind": _notice_kind,
    "labels": _labels,
}
_ACTION: Mapping[str, Reader] = {
    "time": values.duration,
    "acknowledge": values.name,
    "snooze": values.name,
    "for": values.interval,
    "labels": _labels,
}


def read(document: Document) -> TestFile:
    """The tests of a document; what is wrong is noted in it."""
    top = Spot(document)
    found = _entries(document.tree.data, _FILE, top)
    patterns = _each(found.get("rule_files", []), top.at("rule_files"), _pattern)
    every = found.get("evaluation_interval", DEFAULT_INTERVAL_SECONDS)
    cases = _each(found.get("tests", []), top.at("tests"), lambda data, spot: _case(data, spot, every))
    if not cases and not document.problems:
        top.wrong("holds no test; write tests:")
    return TestFile(Path(document.source), tuple(patterns), tuple(cases))


def _entries(data: Any, readers: Mapping[str, Reader], spot: Spot) -> dict[str, Any]:
    found = values.entries(data, readers, spot)
    return {key: value for key, value in found.items() if value is not UNUSABLE}


def _each(data: Any, spot: Spot, read_one: Callable[[Any, Spot], T | None]) -> list[T]:
    """What could be read of a list."""
    if not isinstance(data, list):
        spot.wrong(f"must be a list (- …), not {kind(data)}")
        return []
    found = (read_one(one, spot.at(index)) for index, one in enumerate(data))
    return [one for one in found if one is not None]


def _needs(data: Any, found: Mapping[str, Any], keys: Sequence[str], spot: Spot) -> bool:
    """Whether all of these could be read; says which are not there at all."""
    missing = [key for key in keys if not isinstance(data, dict) or key not in data]
    if missing and isinstance(data, dict):
        spot.wrong(f"has no {' and no '.join(missing)}; write {', '.join(f'{key}:' for key in missing)} …")
    return all(key in found for key in keys)


def _pattern(data: Any, spot: Spot) -> tuple[str, Spot] | None:
    found = values.text(data, spot)
    return None if found is UNUSABLE else (found, spot)


def _case(data: Any, spot: Spot, every: int) -> Case:
    found = _entries(data, _CASE, spot)
    number = spot.keys[-1]
    notices = found.get("exp_notifications")
    return Case(
        name=found.get("name", f"test {int(number) + 1}"),
        interval=found.get("interval", every),
        evaluation_interval=every,
        series=tuple(_each(found.get("input_series", []), spot.at("input_series"), _series)),
        checks=tuple(_each(found.get("alert_rule_test", []), spot.at("alert_rule_test"), _check)),
        notices=None if notices is None else tuple(_each(notices, spot.at("exp_notifications"), _notice)),
        actions=tuple(_each(found.get("actions", []), spot.at("actions"), _action)),
        spot=spot,
    )


def _series(data: Any, spot: Spot) -> InputSeries | None:
    found = _entries(data, _SERIES, spot)
    if not _needs(data, found, ("series", "values"), spot):
        return None
    name, labels = found["series"]
    return InputSeries(name, labels, found["values"], spot.at("series"))


def _check(data: Any, spot: Spot) -> AlertCheck | None:
    found = _entries(data, _CHECK, spot)
    if not _needs(data, found, ("eval_time", "alertname"), spot):
        return None
    expected = _each(found.get("exp_alerts", []), spot.at("exp_alerts"), _alert)
    return AlertCheck(found["eval_time"], found["alertname"], tuple(expected), spot)


def _alert(data: Any, spot: Spot) -> ExpectedAlert:
    found = _entries(data, _ALERT, spot)
    return ExpectedAlert(found.get("exp_labels", {}), found.get("exp_annotations", {}))


def _notice(data: Any, spot: Spot) -> ExpectedNotice | None:
    found = _entries(data, _NOTICE, spot)
    if not _needs(data, found, ("eval_time", "alertname", "kind"), spot):
        return None
    return ExpectedNotice(found["eval_time"], found["alertname"], found["kind"], found.get("labels"), spot)


def _action(data: Any, spot: Spot) -> Action | None:
    found = _entries(data, _ACTION, spot)
    deeds = [deed for deed in Deed if deed in found]
    if not _needs(data, found, ("time",), spot) or not isinstance(data, dict):
        return None
    if len(deeds) != 1:
        if len([deed for deed in Deed if deed in data]) != 1:
            spot.wrong("must be one of acknowledge: ALERTNAME and snooze: ALERTNAME")
        return None
    if (deeds[0] is Deed.SNOOZE) != ("for" in data):
        spot.wrong("a snooze needs for: DURATION, and nothing else has it")
    for_sec, labels = found.get("for", 0), found.get("labels", {})
    return Action(found["time"], deeds[0], found[deeds[0]], for_sec, labels, spot)

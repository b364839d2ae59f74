"""Readers of the values in a rule file. Each returns what it read, or says what is wrong (UNUSABLE)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from clustersight.duration import parse_duration
from clustersight.problem import unknown
from clustersight.rules.places import UNUSABLE, Spot

Reader = Callable[[Any, Spot], Any]

# As the API has it for rules of its own.
NAME_LENGTH = 200
_NAME = re.compile(rf"(?!\s)[^\x00-\x1f\x7f]{{1,{NAME_LENGTH}}}(?<!\s)")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
URL = re.compile(r"https?://[^\s{}]+")
_WORDS = "YAML reads yes, no, on, off and numbers as no text: put it in quotes"
_EMPTY = "is empty; give it a value, or leave the line out"
# Labels that every alert has from elsewhere.
RESERVED_LABELS = {
    "alertname": "is the rule's name; leave it out",
    "severity": "is a field of the rule; write severity: beside labels",
    "cluster": "is the alert's own label; choose another name",
    "host": "is the alert's own label; choose another name",
}
_KINDS = {type(None): "nothing", bool: "true or false", str: "text", list: "a list", dict: "a mapping"}


def kind(value: Any) -> str:
    """What a value of YAML is, in words."""
    return _KINDS.get(type(value), "a number")


def entries(value: Any, allowed: Mapping[str, Reader], spot: Spot) -> dict[str, Any]:
    """The values of a mapping by key; those that cannot be used are UNUSABLE, unknown keys are left out."""
    if not isinstance(value, dict):
        spot.wrong(f"must be a mapping (key: value), not {kind(value)}")
        return {}
    read: dict[str, Any] = {}
    for key, one in value.items():
        if key not in allowed:
            spot.at(key).wrong_key(unknown("key", key, allowed))
        elif one is None:
            read[key] = spot.at(key).wrong(_EMPTY)
        else:
            read[key] = allowed[key](one, spot.at(key))
    return read


def text(value: Any, spot: Spot) -> Any:
    if isinstance(value, str):
        return value if value.strip() else spot.wrong(_EMPTY)
    return _any_text(value, spot)


def _any_text(value: Any, spot: Spot) -> Any:
    """Text that may be empty, as the value of a label."""
    if isinstance(value, str):
        return value
    plain = isinstance(value, bool | int | float)
    return spot.wrong(f"must be text; {_WORDS}" if plain else f"must be text, not {kind(value)}")


def name(value: Any, spot: Spot) -> Any:
    found = _any_text(value, spot)
    if found is UNUSABLE or _NAME.fullmatch(found):
        return found
    return spot.wrong(f"must be 1 to {NAME_LENGTH} characters on one line, without spaces around")


def number(value: Any, spot: Spot) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return spot.wrong(f"must be a number, not {kind(value)}{_as_number(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    return found if math.isfinite(found) else spot.wrong("must be a finite number")


def _as_number(value: Any) -> str:
    """YAML 1.1 takes `1e3` for text, which other readers of YAML do not."""
    try:
        found = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        found = math.nan
    return f"; write {found:.15g} without quotes" if math.isfinite(found) else ""


def seconds(value: Any, spot: Spot) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return spot.wrong(f"must be a whole number of seconds, not {kind(value)}")
    return value if value >= 0 else spot.wrong("must be 0 seconds or more")


def duration(value: Any, spot: Spot) -> Any:
    """Whole seconds: the alerter looks at most once a second."""
    if isinstance(value, int) and not isinstance(value, bool) and value:
        return spot.wrong(f"must be a duration with its unit, as in {abs(value)}s")
    try:
        # `0` without quotes is a number, any other text has a unit.
        found = parse_duration("0" if value == 0 and value is not False else _as_text(value)).total_seconds()
    except ValueError as error:
        return spot.wrong(str(error))
    return int(found) if found.is_integer() else spot.wrong("must be whole seconds")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def interval(value: Any, spot: Spot) -> Any:
    found = duration(value, spot)
    return spot.wrong("must be longer than 0s") if found == 0 else found


def yes_or_no(value: Any, spot: Spot) -> Any:
    return value if isinstance(value, bool) else spot.wrong(f"must be true or false, not {kind(value)}")


def choice(choices: type[StrEnum]) -> Reader:
    allowed = {one.value: one for one in choices}

    def read(value: Any, spot: Spot) -> Any:
        found = _any_text(value, spot)
        if found is UNUSABLE or found in allowed:
            return allowed.get(found, found)
        return spot.wrong(unknown("value", found, allowed))

    return read


def names(value: Any, spot: Spot) -> Any:
    if not isinstance(value, list):
        return spot.wrong(f"must be a list of rules' names, as in [NodeDown], not {kind(value)}")
    return _listed(value, spot, name)


def _listed(value: list[Any], spot: Spot, read: Reader) -> Any:
    if not value:
        return spot.wrong("is an empty list; put something into it, or leave the line out")
    items = tuple(read(one, spot.at(index)) for index, one in enumerate(value))
    return UNUSABLE if UNUSABLE in items else items


def match(value: Any, spot: Spot) -> Any:
    return _mapping(value, spot, _condition)


def _condition(value: Any, spot: Spot) -> Any:
    return _listed(value, spot, _any_text) if isinstance(value, list) else _any_text(value, spot)


def labels(value: Any, spot: Spot) -> Any:
    found = _mapping(value, spot, _any_text)
    for label, one in found.items() if found is not UNUSABLE else ():
        if label in RESERVED_LABELS:
            spot.at(label).wrong_key(RESERVED_LABELS[label])
        elif "{{" in one:
            spot.at(label).wrong("is no template; put what varies into annotations")
    return found


def _mapping(value: Any, spot: Spot, read: Reader) -> Any:
    if not isinstance(value, dict):
        return spot.wrong(f"must be a mapping (label: value), not {kind(value)}")
    found = {}
    for label, one in value.items():
        if not LABEL.fullmatch(label):
            spot.at(label).wrong_key(f"{label!r} is no label; a label has letters, digits and _")
        found[label] = read(one, spot.at(label))
    return UNUSABLE if UNUSABLE in found.values() else found


def url(value: Any, spot: Spot) -> Any:
    found = _any_text(value, spot)
    if found is UNUSABLE or URL.fullmatch(found):
        return found
    return spot.wrong("must be a plain address that begins with https:// or http://")


def anything(value: Any, _: Spot) -> Any:
    """For what is read later, with what stands around it."""
    return value

"""The demo's rule file: the pack's own rules, which fire while somebody is still watching."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import yaml

from clustersight.duration import format_duration
from clustersight.rules import pack
from clustersight.rules.definition import definition_of
from clustersight.rules.rule import Rule

# What a rule file calls otherwise than Rule, and what it says elsewhere or nowhere.
_NAMES = {"for_sec": "for", "keep_firing_for_sec": "keep_firing_for"}
_ANNOTATIONS = ("summary", "description", "runbook_url")
_NOT_IN_A_RULE = ("interval_sec", "cluster_ids")
_REQUIRED = ("metric_key", "operator", "threshold")
_DEFAULTS = {f.name: f.default for f in dataclasses.fields(Rule)}


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, so that a fix can be read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def shortened(longest_for_seconds: int, every_seconds: int | None = None) -> str:
    """The rules of the pack with a longer `for`, as a rule file in which it is this; all else is the pack's.

    A rule of a file stands for the built-in one of its name. `every_seconds`: how often they are evaluated.
    """
    rules = (rule for rule in pack.built_in().rules if rule.for_sec > longest_for_seconds)
    group: dict[str, Any] = {"name": "demo"}
    if every_seconds is not None:
        group["interval"] = _duration(every_seconds)
    group["rules"] = list(_capped(rules, longest_for_seconds))
    head = f"""\
# Written by `clustersight demo` at every start: changes are lost.
# The built-in rules that wait longer than {_duration(longest_for_seconds)} before they fire, with this as
# their `for` and nothing else changed: nobody watches a demo for five minutes. In earnest, leave them alone.
"""
    return head + yaml.dump(
        {"groups": [group]}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )


def _capped(rules: Iterable[Rule], seconds: int) -> Iterator[dict[str, Any]]:
    return (written(dataclasses.replace(rule, for_sec=seconds)) for rule in rules)


def written(rule: Rule) -> dict[str, Any]:
    """A rule as it stands in a rule file; what has its default is left out."""
    said = {
        name: value
        for name, value in definition_of(rule).items()
        if name in _REQUIRED or (name not in _NOT_IN_A_RULE and _differs(rule, name))
    }
    annotations = {name: said.pop(name) for name in _ANNOTATIONS if name in said}
    found = {"alert": rule.name, **{_NAMES.get(name, name): _plain(name, said[name]) for name in said}}
    return {**found, "annotations": annotations} if annotations else found


def _differs(rule: Rule, name: str) -> bool:
    default = _DEFAULTS[name]
    value = getattr(rule, name)
    return bool(value) if default is dataclasses.MISSING else bool(value != default)


def _plain(name: str, value: Any) -> Any:
    """As YAML has it: a duration with its unit, an enumeration as its text."""
    if name in _NAMES:
        return _duration(value)
    return str(value) if isinstance(value, str) else value


def _duration(seconds: int) -> str:
    return format_duration(timedelta(seconds=seconds))

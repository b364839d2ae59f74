"""Rules as a rule file of Prometheus (spec/rules.md, the last paragraph)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from clustersight.duration import format_duration
from clustersight.rules import prometheus_texts, promql
from clustersight.rules.prometheus_texts import UntranslatableError
from clustersight.rules.rule import Rule

_HEAD = """\
# Made by `clustersight rules export --format prometheus`. The scrape configuration needs honor_labels: true.
# A rule that raises another one has that one's alertname and a higher severity: while it fires, both do.
# inhibited_by, group and cooldown_sec are Alertmanager's inhibit_rules, group_by and repeat_interval.
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """The text of the file, and what of the rules is not in it, a line for each reason."""

    text: str
    left_out: tuple[str, ...]


def export(rules: Iterable[Rule]) -> Exported:
    """The rules, which must be without problems, in one group for each interval."""
    left_out: dict[str, list[str]] = defaultdict(list)
    groups: dict[int | None, list[dict[str, Any]]] = defaultdict(list)
    for rule in rules:
        reason = _reason(rule)
        if reason:
            left_out[reason].append(rule.name)
        else:
            groups[rule.interval_sec].append(_rule(rule, left_out))
    document = {"groups": [_group(interval, rules) for interval, rules in groups.items()]}
    text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return Exported(_HEAD + text, tuple(_lines(left_out)))


def _reason(rule: Rule) -> str:
    """Why a rule cannot be exported at all."""
    if rule.sql is not None:
        return "rules with sql, which are not on the page before they are collected"
    return "" if rule.enabled else "rules that are not enabled"


def _lines(left_out: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for reason, names in left_out.items():
        yield f"left out: {reason}: {', '.join(names)}"


def _group(interval: int | None, rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if interval is None:
        return {"name": "clustersight", "rules": rules}
    every = _duration(interval)
    return {"name": f"clustersight every {every}", "interval": every, "rules": rules}


def _duration(seconds: int) -> str:
    return format_duration(timedelta(seconds=seconds))


def _rule(rule: Rule, left_out: dict[str, list[str]]) -> dict[str, Any]:
    if rule.fix:
        left_out["fix, which Prometheus has no place for"].append(rule.name)
    found: dict[str, Any] = {"alert": rule.identity, "expr": promql.condition(rule)}
    if rule.for_sec:
        found["for"] = _duration(rule.for_sec)
    if rule.keep_firing_for_sec:
        found["keep_firing_for"] = _duration(rule.keep_firing_for_sec)
    found["labels"] = {**rule.labels, "severity": str(rule.severity)}
    annotations = _annotations(rule, left_out)
    return {**found, "annotations": annotations} if annotations else found


def _annotations(rule: Rule, left_out: dict[str, list[str]]) -> dict[str, str]:
    found = {}
    for name in ("summary", "description"):
        text = getattr(rule, name)
        try:
            if text:
                found[name] = prometheus_texts.exported(text, rule.labels)
        except UntranslatableError as error:
            left_out[f"{name} ({error})"].append(rule.name)
    if rule.runbook_url:
        found["runbook_url"] = rule.runbook_url
    return found

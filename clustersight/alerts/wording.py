"""What an alert says: its texts, filled in from its sample and the panel's row (spec/api.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from clustersight.alerts.instance import Instance
from clustersight.rules import templates
from clustersight.rules.rule import Rule

Detail = dict[str, Any]


def labels_of(rule: Rule, instance: Instance, cluster: str) -> dict[str, str]:
    """The labels of an alert: those of Prometheus' alert of this rule, without alertname and severity."""
    place = {"cluster": cluster} | ({"host": instance.host} if instance.host else {})
    return {**rule.labels, **place, **dict(instance.labels)}


def detail_of(rule: Rule, instance: Instance, cluster: str, evidence: Mapping[str, Any] | None) -> Detail:
    """Everything that the alerter says of an alert, as the store keeps it."""
    labels = labels_of(rule, instance, cluster)
    value = math.nan if instance.value is None else instance.value

    def fill(text: str) -> str:
        return _filled(text, labels, value, evidence or {}) if text else ""

    return {
        "rule": rule.name,
        "cluster_name": cluster,
        "host": instance.host,
        "metric_key": rule.metric_key,
        "labels": labels,
        "value": instance.value,
        "threshold": rule.threshold,
        "operator": rule.operator.value,
        "summary": fill(rule.summary) or rule.name,
        "description": fill(rule.description),
        "runbook_url": rule.runbook_url,
        "fix_command": fill(rule.fix) if rule.fix else None,
        "evidence": dict(evidence) if evidence is not None else None,
        "resolve_reason": None,
        "inhibited_by": None,
        "silenced_by": None,
        "channels": [],
        "grouped": rule.group is not None,
        "no_data": instance.value is None,
    }


def _filled(text: str, labels: Mapping[str, str], value: float, row: Mapping[str, Any]) -> str:
    """A text that is no template any more, as an older release stored it, is shown with what is wrong."""
    try:
        template = _template(text)
    except templates.TemplateError as error:
        return f"<error expanding template: {error}> {text}"
    return template.render(labels, value, row)


@lru_cache(maxsize=50_000)
def _template(text: str) -> templates.Template:
    return templates.compile(text)

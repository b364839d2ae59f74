"""A notice of an alert as the store keeps it: what an outbox row says (spec/rules.md, "Delivery")."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from clustersight.metric_keys import metric_keys
from clustersight.notify.notice import Notice, NoticeKind
from clustersight.settings.notify import Severity


@lru_cache(maxsize=1000)
def unit_of(key: str) -> str:
    """The unit of a rule key, as a person would say it; that of a SQL rule is its author's."""
    known = metric_keys().get(key)
    return known.unit if known else ""


def _shown(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Without the panel's own fix: the rule's stands below."""
    if evidence is None:
        return None
    return {name: value for name, value in evidence.items() if name != "fix_command"}


def notice_of(
    kind: NoticeKind,
    alert: Mapping[str, Any],
    detail: Mapping[str, Any],
    *,
    resolved_at: float | None = None,
    untold: bool = False,
) -> dict[str, Any]:
    """A notice as an outbox row keeps it; `alert` has id, rule_name, severity and fired_at (wall seconds)."""
    beside = ("cluster", "host")
    notice = Notice(
        kind=kind,
        summary=detail["summary"],
        alert_id=alert["id"],
        rule_name=alert["rule_name"],
        cluster=detail["cluster_name"],
        host=detail["host"],
        labels={name: value for name, value in detail["labels"].items() if name not in beside},
        severity=Severity(alert["severity"]),
        metric_key=detail["metric_key"],
        unit=unit_of(detail["metric_key"]),
        operator=detail["operator"],
        value=detail["value"],
        threshold=detail["threshold"],
        description=detail["description"],
        runbook_url=detail["runbook_url"],
        fix=detail["fix_command"],
        evidence=_shown(detail["evidence"]),
        fired_at=alert["fired_at"],
        resolved_at=resolved_at,
        resolve_reason=detail["resolve_reason"],
        untold=untold,
        grouped=detail["grouped"],
    )
    return notice.plain()

"""Notices and messages as the alerter would make them."""

from __future__ import annotations

from typing import Any

from clustersight.notify.notice import Form, Links, Message, Notice, NoticeKind
from clustersight.settings.notify import Severity

FIRED_AT = 1_774_188_000.0  # 2026-03-22 14:00:00 UTC
NOW = FIRED_AT + 7500
LINKS = Links(grafana_url="https://grafana.example", api_url="https://sight.example")


def notice(**changes: Any) -> Notice:
    """A critical mutation that fails, firing."""
    usual: dict[str, Any] = {
        "kind": NoticeKind.FIRING,
        "alert_id": "a-1",
        "rule_name": "MutationFailing",
        "summary": "A mutation of shop.orders fails",
        "description": "Every try ends with the same exception.",
        "cluster": "prod",
        "host": "ch-1",
        "labels": {"database": "shop", "table": "orders"},
        "severity": Severity.CRITICAL,
        "metric_key": "disk.usage_pct",
        "unit": "%",
        "operator": ">",
        "value": 87.3,
        "threshold": 85.0,
        "runbook_url": "https://docs.example/runbook#MutationFailing",
        "fix": "KILL MUTATION WHERE database = 'shop' AND table = 'orders'",
        "evidence": {"mutation_id": "mutation_7.txt", "parts_to_do": 3},
        "fired_at": FIRED_AT,
    }
    return Notice(**usual | changes)


def resolved(**changes: Any) -> Notice:
    over = {"kind": NoticeKind.RESOLVED, "resolved_at": NOW, "resolve_reason": "recovered", "value": 84.0}
    return notice(**over | changes)


def message(*notices: Notice, form: Form = Form.SINGLE, **changes: Any) -> Message:
    told = {"id": "m-1", "form": form, "notices": notices or (notice(),), "links": LINKS, "sent_at": NOW}
    return Message(**told | changes)


def many(number: int, **changes: Any) -> tuple[Notice, ...]:
    """Alerts of ordinary names, each of another table."""
    return tuple(
        notice(
            alert_id=f"a-{i}",
            host=f"clickhouse-{i % 9}.prod.example.com",
            labels={"database": "analytics", "table": f"events_by_customer_{i}"},
            **changes,
        )
        for i in range(number)
    )

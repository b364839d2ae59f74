"""What there is to say: a notice is of one alert, a message to one channel holds one or more of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from clustersight.settings.notify import Severity


class NoticeKind(StrEnum):
    """Why it is sent; the order is the order of delivery where several wait (escalated first)."""

    ESCALATED = "escalated"
    TEST = "test"
    FIRING = "firing"
    RISE = "rise"
    RESOLVED = "resolved"
    REPEAT = "repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An alert at one moment, as an outbox row keeps it. Times are epoch seconds, texts are unescaped.

    `labels` come beside cluster and host; `value` and `threshold` are in `unit`, that of the metric key.
    `evidence` is the panel's row behind it. `untold`: it resolved before anybody was told that it fired, so
    this message says both. `grouped`: of a rule with `group: cluster`. A test has no alert: only `summary`.
    """

    kind: NoticeKind
    summary: str
    alert_id: str = ""
    rule_name: str = ""
    cluster: str = ""
    host: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    severity: Severity = Severity.WARNING
    metric_key: str = ""
    unit: str = ""
    operator: str = ""
    value: float | None = None
    threshold: float | None = None
    description: str = ""
    runbook_url: str | None = None
    fix: str | None = None
    evidence: Mapping[str, Any] | None = None
    fired_at: float = 0.0
    resolved_at: float | None = None
    resolve_reason: str | None = None
    untold: bool = False
    grouped: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON, for the outbox and the generic webhook."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | {
            "labels": dict(self.labels),
            "evidence": dict(self.evidence) if self.evidence is not None else None,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Notice:
        """From `plain()`; fields that another release wrote are left out."""
        known = {f.name for f in dataclasses.fields(cls)}
        values = {key: value for key, value in plain.items() if key in known}
        values |= {"kind": NoticeKind(values["kind"]), "severity": Severity(values["severity"])}
        return cls(**values)


class Form(StrEnum):
    """How much a message says of each of its alerts."""

    SINGLE = "single"  # one alert, everything
    GROUP = "group"  # alerts of one rule and cluster: how many, and the ten worst rows
    DIGEST = "digest"  # a backlog of whatever: one line for each alert, none left out


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader can go on; both without a trailing slash."""

    grafana_url: str | None = None
    api_url: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One POST to one channel. `id` is the same for every try, so that a receiver can drop a repetition."""

    id: str
    form: Form
    notices: tuple[Notice, ...]
    links: Links = Links()
    sent_at: float = 0.0

"""How a rule is shown, and what may be sent of one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from api.body import Body
from api.choice import ClusterId
from api.resource import Shape
from clustersight.rules.fields import Grouping
from clustersight.rules.rule import SQL_PREFIX, NoData, Operator, RunOn
from clustersight.rules.values import LABEL
from clustersight.store.rules import RuleType

Seconds = Annotated[int, Field(ge=0, le=30 * 86400)]
Interval = Annotated[int, Field(ge=1, le=86400)]
Threshold = Annotated[float, Field(ge=-1e300, le=1e300)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Key = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=10_000)]
Value = Annotated[str, Field(max_length=1000)]
Match = Annotated[
    dict[Annotated[str, Field(max_length=200)], Value | Annotated[list[Value], Field(max_length=100)]],
    Field(max_length=50, examples=[{"disk": "default"}]),
]
Labels = Annotated[
    dict[Annotated[str, Field(max_length=200, pattern=f"^{LABEL.pattern}$")], Value],
    Field(max_length=50, examples=[{"team": "data"}]),
]

# Of what may be left out and must not be null; checks.refuse_null says so.
Unsaid = SkipJsonSchema[None]


class AlertSeverity(StrEnum):
    """How bad an alert is."""

    WARNING = "warning"
    CRITICAL = "critical"


class RuleState(StrEnum):
    """What a rule's last evaluation found."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"
    ERROR = "error"


class RuleShape(Shape):
    """A rule as it holds now; `origin` is FILE:LINE of one from a file. Times of it are in seconds.

    The metric key of a rule with `sql` is `rule:` and its name. `active_alerts` are the unresolved ones, also
    those of the rule that it raises: these are the same alerts.
    """

    id: str = Field(examples=["ru_0123456789ab"])
    name: str
    rule_type: RuleType
    origin: str
    metric_key: str = Field(examples=["disk.usage_pct"])
    match: dict[str, str | list[str]]
    operator: Operator
    threshold: float
    for_sec: int
    keep_firing_for_sec: int
    resolve_threshold: float | None
    severity: AlertSeverity
    cooldown_sec: int
    enabled: bool
    cluster_ids: list[str]
    summary: str
    description: str
    runbook_url: str | None
    fix: str | None
    no_data: NoData
    raises: str | None
    inhibited_by: list[str]
    group: str | None
    labels: dict[str, str]
    sql: str | None
    run_on: RunOn
    interval_sec: int | None
    state: RuleState
    last_evaluated_at: str | None
    last_error: str | None
    active_alerts: int


class EvaluationShape(Shape):
    """One evaluation of a rule: how many samples it looked at, and what it found."""

    at: str
    duration_seconds: float
    samples: int
    state: RuleState
    error: str | None


class RuleDetail(RuleShape):
    """With its last 20 evaluations, the newest first."""

    evaluations: list[EvaluationShape]


class RuleFields(Body):
    """What may be left out of a new rule, and be changed alone."""

    match: Match = Field(default={})
    for_sec: Seconds = 0
    keep_firing_for_sec: Seconds = 0
    resolve_threshold: Threshold | None = None
    cooldown_sec: Seconds = 3600
    enabled: bool = True
    cluster_ids: Annotated[list[ClusterId], Field(max_length=1000)] = Field(
        default=[], description="Empty: all clusters."
    )
    summary: Text = Field(default="", description="A template, as in rule files.")
    description: Text = Field(default="", description="A template.")
    runbook_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")] | None = None
    fix: Text | None = Field(default=None, description="A template; values go through ident or literal.")
    no_data: NoData = Field(default=NoData.KEEP, strict=False)
    raises: Name | None = Field(default=None, description="The rule that this is the higher severity of.")
    inhibited_by: Annotated[list[Name], Field(max_length=100)] = Field(
        default=[], description="No message while one of these rules fires for the same thing."
    )
    group: Annotated[Grouping, Field(strict=False)] | None = Field(
        default=None, description="One message per rule and cluster."
    )
    labels: Labels = Field(default={})
    sql: Text | None = Field(default=None, description="A SELECT of `value` and labels, for the metric key.")
    run_on: RunOn = Field(default=RunOn.EACH, strict=False)
    interval_sec: Interval | None = Field(default=None, description="By default the collection interval.")


class NewRule(RuleFields):
    """A custom rule; with `sql` it needs no metric key."""

    name: Name = Field(examples=["My Custom Rule"])
    metric_key: Key = Field(examples=["disk.usage_pct"])
    operator: Operator = Field(examples=[">"], strict=False)
    threshold: Threshold = Field(examples=[70.0])
    severity: AlertSeverity = Field(examples=["warning"], strict=False)

    @model_validator(mode="before")
    @classmethod
    def _key_of_sql(cls, given: Any) -> Any:
        """A rule with a statement has a key of its own."""
        if isinstance(given, dict) and given.get("sql") is not None and "metric_key" not in given:
            return {**given, "metric_key": f"{SQL_PREFIX}{given.get('name')}"[:200]}
        return given


class RuleChange(RuleFields):
    """The fields to change; those of a built-in rule are threshold, severity, cooldown_sec and enabled."""

    name: Name | Unsaid = None
    metric_key: Key | Unsaid = None
    operator: Annotated[Operator, Field(strict=False)] | Unsaid = None
    threshold: Threshold | Unsaid = None
    severity: Annotated[AlertSeverity, Field(strict=False)] | Unsaid = None


class MetricKeyShape(Shape):
    """A key that rules may compare; `labels` beside cluster and host."""

    key: str = Field(examples=["disk.usage_pct"])
    unit: str
    description: str
    labels: list[str]
    prometheus_name: str
    panel: str
    tier: int
    supported: bool = Field(description="False where no server that is watched has what it is read from.")


class DeletedRule(Shape):
    """What was deleted."""

    id: str
    deleted: bool

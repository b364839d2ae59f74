"""The alerter's tables: states of rules, alerts and their events, silences, and what is to be sent."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from clustersight.store.schema import Id, Number, metadata

# One per rule and sample labels: what must survive a restart of the alerter.
rule_states = Table(
    "rule_states",
    metadata,
    Column("rule_id", Id, ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("state_json", Text, nullable=False),
    Column("updated_at", Float(53), nullable=False),
)

# `detail_json` is written by the alerter alone, the columns from `acknowledged_at` on by the API alone:
# neither undoes what the other one does.
alerts = Table(
    "alerts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("rule_id", Id, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("cluster_id", Id, ForeignKey("clusters.id", ondelete="CASCADE"), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("severity", String(8), nullable=False),
    Column("status", String(12), nullable=False),
    Column("fired_at", Float(53), nullable=False),
    Column("resolved_at", Float(53)),
    Column("detail_json", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("acknowledged_at", Float(53)),
    Column("acknowledged_by", Text),
    Column("snoozed_until", Float(53)),
    Column("escalated_at", Float(53)),
    CheckConstraint("status IN ('active', 'acknowledged', 'resolved')", name="status"),
    CheckConstraint("severity IN ('warning', 'critical')", name="severity"),
)
Index("ix_alerts_status", alerts.c.status, alerts.c.fired_at)
Index("ix_alerts_resolved_at", alerts.c.resolved_at)
# One alert per rule and labels: two alerters cannot both open it.
Index(
    "uq_alerts_unresolved",
    alerts.c.rule_name,
    alerts.c.fingerprint,
    unique=True,
    sqlite_where=text("status != 'resolved'"),
    postgresql_where=text("status != 'resolved'"),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("detail_json", Text, nullable=False, server_default="{}"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Id, primary_key=True),
    Column("matchers_json", Text, nullable=False),
    Column("starts_at", Float(53), nullable=False),
    Column("ends_at", Float(53), nullable=False, index=True),
    Column("created_by", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("alert_id", Id),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("alert_id", Id, ForeignKey("alerts.id", ondelete="CASCADE"), index=True),
    Column("channel", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(12), nullable=False),
    Column("message_json", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("created_at", Float(53), nullable=False),
    Column("due_at", Float(53), nullable=False),
    Column("ended_at", Float(53)),
    Column("severity", String(8), nullable=False, server_default="warning"),
    # The row that says what this one would have said.
    Column("superseded_by", Number),
)
Index("ix_outbox_state", outbox.c.state, outbox.c.due_at)
Index("ix_outbox_alert_id_channel", outbox.c.alert_id, outbox.c.channel, outbox.c.id)

# How each channel does, for people and across a restart: `paused_until` is what a 429 asked for.
channels = Table(
    "channels",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", String(12), nullable=False),
    Column("since", Float(53), nullable=False),
    Column("paused_until", Float(53)),
    Column("last_error", Text, nullable=False, server_default=""),
    Column("last_delivered_at", Float(53)),
    CheckConstraint("state IN ('healthy', 'paused', 'unhealthy')", name="state"),
)

# The last passes over the rules: what each one found, packed by rule id. 20 of each interval are kept.
evaluation_passes = Table(
    "evaluation_passes",
    metadata,
    Column("interval_sec", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), primary_key=True),
    Column("duration_seconds", Float(53), nullable=False),
    Column("found_packed", LargeBinary, nullable=False),
)

"""Every table of the state database; the migrations make it, and a test compares the two.

Times are whole epoch seconds unless a column says otherwise. `*_json` holds JSON text, `*_packed` JSON
that is compressed (packing.py), `*_encrypted` a token of secrets.py.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

# Names for constraints, so that a migration can drop what another one made.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = String(15)
# SQLite numbers rows by itself only for INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

# One row, which each change of clusters, settings or rules counts up: whoever follows looks at it alone.
revisions = Table(
    "revisions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("revision", BigInteger, nullable=False, server_default="0"),
)

# A provisioned cluster's credentials stay in its file; the row holds its identity and what may be shown.
clusters = Table(
    "clusters",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("managed_by", String(8), nullable=False),
    Column("settings_json", Text, nullable=False),
    Column("password_encrypted", Text),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("deleted_at", Float(53)),
    CheckConstraint("managed_by IN ('api', 'file')", name="managed_by"),
)
# Deleted ones keep their history, and give their name and address free.
Index(
    "uq_clusters_active_name",
    clusters.c.name,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
    postgresql_where=text("deleted_at IS NULL"),
)
Index(
    "uq_clusters_active_address",
    clusters.c.host,
    clusters.c.port,
    unique=True,
    sqlite_where=text("deleted_at IS NULL"),
    postgresql_where=text("deleted_at IS NULL"),
)

# The nodes as the exporter last knew them: where a live answer is to be had, and how each one is.
nodes = Table(
    "nodes",
    metadata,
    Column("cluster_id", Id, ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("address_host", Text, nullable=False),
    Column("address_port", Integer, nullable=False),
    Column("shard", Text, nullable=False, server_default=""),
    Column("replica", Text, nullable=False, server_default=""),
    Column("logical_cluster", Text, nullable=False, server_default=""),
    Column("is_configured", Boolean, nullable=False),
    Column("is_up", Boolean, nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("version", Text, nullable=False, server_default=""),
    Column("visited_at", Float(53), nullable=False),
    Column("logical_clusters_json", Text, nullable=False, server_default="[]"),
)

settings = Table(
    "settings",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value_json", Text),
    Column("value_encrypted", Text),
    Column("updated_at", Float(53), nullable=False),
)

rules = Table(
    "rules",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("rule_type", String(8), nullable=False),
    Column("origin", Text, nullable=False, server_default=""),
    Column("definition_json", Text, nullable=False),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("overrides_json", Text, nullable=False, server_default="{}"),
    CheckConstraint("rule_type IN ('built_in', 'custom', 'file')", name="rule_type"),
)

# One per rule and sample labels: what must survive a restart of the alerter.
rule_states = Table(
    "rule_states",
    metadata,
    Column("rule_id", Id, ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("state_json", Text, nullable=False),
    Column("updated_at", Float(53), nullable=False),
)

# The last run of each panel on each node; `collected_at` is the last run that ended ok.
snapshots = Table(
    "snapshots",
    metadata,
    Column("cluster_id", Id, ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True),
    Column("panel", String(64), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("error", Text, nullable=False, server_default=""),
    Column("finished_at", Float(53), nullable=False),
    Column("duration_seconds", Float(53), nullable=False),
    Column("read_rows", BigInteger, nullable=False, server_default="0"),
    Column("collected_at", Float(53)),
    Column("payload_packed", LargeBinary),
    Column("samples_packed", LargeBinary),
)

series = Table(
    "series",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("cluster_id", Id, ForeignKey("clusters.id", ondelete="CASCADE"), nullable=False),
    Column("host", Text, nullable=False),
    Column("panel", String(64), nullable=False),
    Column("metric", String(128), nullable=False),
    Column("labels_json", Text, nullable=False),
    # When it was first seen, which tells a table that is new.
    Column("created_at", Integer, nullable=False),
    UniqueConstraint("cluster_id", "metric", "host", "labels_json"),
)

# A value when it changes or after 15 minutes, in the unit of the rule key; NULL: nothing was known.
samples_raw = Table(
    "samples_raw",
    metadata,
    Column("series_id", _Number, primary_key=True, autoincrement=False),
    Column("at", Integer, primary_key=True),
    Column("value", Float(53)),
    # The rows live in the key's tree: 25 bytes a sample instead of 60.
    sqlite_with_rowid=False,
)


def _rolled_up(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("series_id", _Number, primary_key=True, autoincrement=False),
        Column("at", Integer, primary_key=True),
        Column("min", Float(53), nullable=False),
        Column("max", Float(53), nullable=False),
        # Value times seconds, and the seconds for which there was one: their quotient is the mean.
        Column("sum", Float(53), nullable=False),
        Column("count", Integer, nullable=False),
        Column("last", Float(53), nullable=False),
        sqlite_with_rowid=False,
    )


samples_hourly = _rolled_up("samples_hourly")
samples_daily = _rolled_up("samples_daily")

# What each tier holds: everything from `expired_until` to `done_until`. Raw is never done: it holds the
# rest. Readers take the finer tier where a coarser one has not got yet, and the coarser where a finer
# one no longer is.
rollups = Table(
    "rollups",
    metadata,
    Column("tier", String(8), primary_key=True),
    Column("done_until", Integer, nullable=False, server_default="0"),
    Column("expired_until", Integer, nullable=False, server_default="0"),
)

health_scores = Table(
    "health_scores",
    metadata,
    Column("cluster_id", Id, ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Integer, primary_key=True),
    Column("score", Float(53)),
    Column("grade", String(2)),
    Column("explanation_packed", LargeBinary, nullable=False),
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
    Column("id", _Number, primary_key=True, autoincrement=True),
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
    Column("id", _Number, primary_key=True, autoincrement=True),
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
    Column("superseded_by", _Number),
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

# One process of a kind works on a store; the others wait until its time has run out.
leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Float(53), nullable=False),
)

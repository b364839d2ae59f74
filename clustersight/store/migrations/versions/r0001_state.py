"""The state: clusters, nodes, settings, rules, snapshots, alerts, silences, outbox, leases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "clusters",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("managed_by", sa.String(length=8), nullable=False),
        sa.Column("settings_json", sa.Text(), nullable=False),
        sa.Column("password_encrypted", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("deleted_at", sa.Float(precision=53), nullable=True),
        sa.CheckConstraint("managed_by IN ('api', 'file')", name="ck_clusters_managed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_clusters"),
    )
    op.create_index(
        "uq_clusters_active_address",
        "clusters",
        ["host", "port"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "uq_clusters_active_name",
        "clusters",
        ["name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "revisions",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
    op.create_table(
        "rules",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule_type", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("definition_json", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.CheckConstraint("rule_type IN ('built_in', 'custom', 'file')", name="ck_rules_rule_type"),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sa.UniqueConstraint("name", name="uq_rules_name"),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value_json", sa.Text(), nullable=True),
        sa.Column("value_encrypted", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_settings"),
    )
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("matchers_json", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.Float(precision=53), nullable=False),
        sa.Column("ends_at", sa.Float(precision=53), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("alert_id", sa.String(length=15), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"], unique=False)
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(length=15), nullable=False),
        sa.Column("rule_id", sa.String(length=15), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("cluster_id", sa.String(length=15), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("fired_at", sa.Float(precision=53), nullable=False),
        sa.Column("resolved_at", sa.Float(precision=53), nullable=True),
        sa.Column("detail_json", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("severity IN ('warning', 'critical')", name="ck_alerts_severity"),
        sa.CheckConstraint("status IN ('active', 'acknowledged', 'resolved')", name="ck_alerts_status"),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name="fk_alerts_cluster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_resolved_at", "alerts", ["resolved_at"], unique=False)
    op.create_index("ix_alerts_status", "alerts", ["status", "fired_at"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("cluster_id", sa.String(length=15), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("address_host", sa.Text(), nullable=False),
        sa.Column("address_port", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Text(), server_default="", nullable=False),
        sa.Column("replica", sa.Text(), server_default="", nullable=False),
        sa.Column("logical_cluster", sa.Text(), server_default="", nullable=False),
        sa.Column("is_configured", sa.Boolean(), nullable=False),
        sa.Column("is_up", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("visited_at", sa.Float(precision=53), nullable=False),
        sa.Column("logical_clusters_json", sa.Text(), server_default="[]", nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name="fk_nodes_cluster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "host", name="pk_nodes"),
    )
    op.create_table(
        "rule_states",
        sa.Column("rule_id", sa.String(length=15), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state_json", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["rules.id"], name="fk_rule_states_rule_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("rule_id", "fingerprint", name="pk_rule_states"),
    )
    op.create_table(
        "snapshots",
        sa.Column("cluster_id", sa.String(length=15), nullable=False),
        sa.Column("panel", sa.String(length=64), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("finished_at", sa.Float(precision=53), nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("read_rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("collected_at", sa.Float(precision=53), nullable=True),
        sa.Column("payload_packed", sa.LargeBinary(), nullable=True),
        sa.Column("samples_packed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name="fk_snapshots_cluster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "panel", "host", name="pk_snapshots"),
    )
    op.create_table(
        "alert_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("alert_id", sa.String(length=15), nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("detail_json", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_alert_events_alert_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_events"),
    )
    op.create_index("ix_alert_events_alert_id", "alert_events", ["alert_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("alert_id", sa.String(length=15), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("message_json", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("due_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_outbox_alert_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_alert_id", "outbox", ["alert_id"], unique=False)
    op.create_index("ix_outbox_state", "outbox", ["state", "due_at"], unique=False)

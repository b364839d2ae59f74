"""What the alerter needs: overrides of rules, what people did with alerts, deliveries, channels, passes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("rules", sa.Column("overrides_json", sa.Text(), server_default="{}", nullable=False))
    for name in ("acknowledged_at", "snoozed_until", "escalated_at"):
        op.add_column("alerts", sa.Column(name, sa.Float(precision=53)))
    op.add_column("alerts", sa.Column("acknowledged_by", sa.Text()))
    op.create_index(
        "uq_alerts_unresolved",
        "alerts",
        ["rule_name", "fingerprint"],
        unique=True,
        sqlite_where=sa.text("status != 'resolved'"),
        postgresql_where=sa.text("status != 'resolved'"),
    )
    op.add_column(
        "outbox", sa.Column("severity", sa.String(length=8), server_default="warning", nullable=False)
    )
    op.add_column("outbox", sa.Column("superseded_by", _NUMBER))
    op.create_index("ix_outbox_alert_id_channel", "outbox", ["alert_id", "channel", "id"])
    _channels()
    _evaluation_passes()


def _channels() -> None:
    op.create_table(
        "channels",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("since", sa.Float(precision=53), nullable=False),
        sa.Column("paused_until", sa.Float(precision=53)),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("last_delivered_at", sa.Float(precision=53)),
        sa.CheckConstraint("state IN ('healthy', 'paused', 'unhealthy')", name="ck_channels_state"),
        sa.PrimaryKeyConstraint("name", name="pk_channels"),
    )


def _evaluation_passes() -> None:
    op.create_table(
        "evaluation_passes",
        sa.Column("interval_sec", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Float(precision=53), nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("found_packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("interval_sec", "at", name="pk_evaluation_passes"),
    )

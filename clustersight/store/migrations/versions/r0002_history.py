"""The history: series, their samples in three tiers, health scores."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "rollups",
        sa.Column("tier", sa.String(length=8), nullable=False),
        sa.Column("done_until", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expired_until", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tier", name="pk_rollups"),
    )
    op.create_table(
        "samples_daily",
        sa.Column(
            "series_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("min", sa.Float(precision=53), nullable=False),
        sa.Column("max", sa.Float(precision=53), nullable=False),
        sa.Column("sum", sa.Float(precision=53), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "at", name="pk_samples_daily"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "samples_hourly",
        sa.Column(
            "series_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("min", sa.Float(precision=53), nullable=False),
        sa.Column("max", sa.Float(precision=53), nullable=False),
        sa.Column("sum", sa.Float(precision=53), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "at", name="pk_samples_hourly"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "samples_raw",
        sa.Column(
            "series_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("series_id", "at", name="pk_samples_raw"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "health_scores",
        sa.Column("cluster_id", sa.String(length=15), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(precision=53), nullable=True),
        sa.Column("grade", sa.String(length=2), nullable=True),
        sa.Column("explanation_packed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name="fk_health_scores_cluster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("cluster_id", "at", name="pk_health_scores"),
    )
    op.create_table(
        "series",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("cluster_id", sa.String(length=15), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("panel", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=128), nullable=False),
        sa.Column("labels_json", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["clusters.id"], name="fk_series_cluster_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint(
            "cluster_id", "metric", "host", "labels_json", name="uq_series_cluster_id_metric_host_labels_json"
        ),
    )

"""The tables of the state database, with alert_schema.py; the migrations make them, and a test compares.

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
Number = BigInteger().with_variant(Integer, "sqlite")

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
    Column("id", Number, primary_key=True, autoincrement=True),
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
    Column("series_id", Number, primary_key=True, autoincrement=False),
    Column("at", Integer, primary_key=True),
    Column("value", Float(53)),
    # The rows live in the key's tree: 25 bytes a sample instead of 60.
    sqlite_with_rowid=False,
)


def _rolled_up(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("series_id", Number, primary_key=True, autoincrement=False),
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

# One process of a kind works on a store; the others wait until its time has run out.
leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expires_at", Float(53), nullable=False),
)

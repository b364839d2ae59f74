"""Fills a ClickHouse with tables and parts, quickly: hard links to the parts of two tables."""

from __future__ import annotations

from tests.servers.embedded import EmbeddedServer

DATABASE = "bench"
# Issue 2: one real server with 2000 tables and 10 000 parts.
TABLES = 2000
PARTS = 10_000
# As on real servers: most tables have a few parts, some have many and are worth a look (100 and more).
FULL_TABLES = 20
FULL_PARTS = 104
FEW_PARTS = 4

SQL_MODEL = """
CREATE TABLE {table} (day UInt16, id UInt64, customer LowCardinality(String), amount Decimal(18, 4))
ENGINE = MergeTree PARTITION BY day ORDER BY id
"""
SQL_FILL = """
INSERT INTO {table} SELECT number % {parts}, number, toString(number % 10), number / 7 FROM numbers({rows})
SETTINGS max_partitions_per_insert_block = 0
"""
SQL_COUNT = """
SELECT uniqExact(table), count() FROM system.parts WHERE active AND database = 'bench' ORDER BY 1 LIMIT 1
"""
ROWS_PER_PART = 50


def load(server: EmbeddedServer) -> None:
    """Make the tables, one insert per kind of table; raises RuntimeError if the numbers are not right."""
    server.execute(f"CREATE DATABASE {DATABASE}")
    server.execute("SYSTEM STOP MERGES")
    for kind, parts, tables in (
        ("full", FULL_PARTS, FULL_TABLES),
        ("table", FEW_PARTS, TABLES - FULL_TABLES),
    ):
        model = f"{DATABASE}.{kind}_0000"
        server.execute(SQL_MODEL.format(table=model))
        server.execute(SQL_FILL.format(table=model, parts=parts, rows=parts * ROWS_PER_PART))
        for number in range(1, tables):
            server.execute(f"CREATE TABLE {DATABASE}.{kind}_{number:04} CLONE AS {model}")
    found = server.execute(SQL_COUNT)[0]
    if found != [TABLES, PARTS]:
        raise RuntimeError(f"the server has {found} tables and parts")

"""Sizes of real tables, against what the servers themselves say."""

from __future__ import annotations

import pytest

from clustersight.clickhouse.sql import literal
from clustersight.panels import compression
from clustersight.panels.compression import PANEL, Row, Totals
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, Server, address_of, database, insert, make_table
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

RATIO = "clickhouse_table_compression_ratio"


def check(server: Server, compressed: str, within: float) -> None:
    with database(server, HOSTILE) as db:
        quoted = make_table(server, (db, HOSTILE))
        make_table(server, (db, "empty"))
        insert(server, quoted, select="number, 'the same' FROM system.numbers LIMIT 100000")
        found = run(address_of(server), PANEL)
        assert found.status is Status.OK
        sampled = values(found)
        sql = (
            f"SELECT sum({compressed}), sum(data_uncompressed_bytes) FROM system.parts "
            f"WHERE active AND database = {literal(db)}"
        )
        small, large = server.execute(sql)[0]
        assert sampled[(RATIO, db, HOSTILE)] == pytest.approx(small / large, rel=within)
        assert 0 < sampled[(RATIO, db, HOSTILE)] < 0.9
        assert sampled[("clickhouse_table_rows", db, HOSTILE)] == 100_000
        assert (RATIO, db, "empty") not in sampled
        assert sampled[("clickhouse_uncompressed_bytes",)] >= 0.99 * large
        assert 0 < sampled[("clickhouse_compression_ratio",)] < 2
        shown = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert shown["ratio_pct"] == pytest.approx(100 * small / large, rel=0.01)
        assert shown["uncompressed_bytes"] == pytest.approx(large, rel=within)


def test_the_ratio_is_what_26_says(embedded: EmbeddedServer) -> None:
    # system.tables counts the marks in the uncompressed size, system.parts does not.
    check(embedded, "bytes_on_disk", within=0.01)


def test_the_ratio_is_what_18_says(replicas: list[ClickHouse18]) -> None:
    check(replicas[0], "data_compressed_bytes", within=1e-5)


def test_tables_without_a_column_are_not_the_whole_node() -> None:
    rows = [Row("d", "big", 10, 100, 5), Totals(30, 120, 9, 2)]
    sampled = {(s.metric.name, *s.labels): s.value for s in compression.samples(rows)}
    assert sampled[("clickhouse_compression_ratio",)] == 0.25
    assert sampled[("clickhouse_rows",)] == 9
    assert sampled[(RATIO, "d", "big")] == 0.1
    assert len(PANEL.payload(rows)) == 1

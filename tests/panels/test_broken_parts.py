"""Parts set aside for real: detached by hand, damaged on disk, and directories that nobody expects."""

from __future__ import annotations

from pathlib import Path

from clustersight.clickhouse.sql import literal
from clustersight.panels import broken_parts
from clustersight.panels.broken_parts import PANEL, Row
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, address_of, database, insert, make_table
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

COUNT = "clickhouse_detached_parts"


def folder_of(server: EmbeddedServer, db: str) -> Path:
    sql = f"SELECT data_paths[1] FROM system.tables WHERE database = {literal(db)}"
    return Path(server.execute(sql)[0][0])


def test_a_part_detached_by_hand_is_manual(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db:
        quoted = make_table(embedded, (db, HOSTILE))
        insert(embedded, quoted)
        embedded.execute(f"ALTER TABLE {quoted} DETACH PARTITION ID '202001'")
        found = run(address_of(embedded), PANEL)
        sampled = values(found)
        assert sampled[(COUNT, db, HOSTILE, "manual")] == 1
        assert sampled[("clickhouse_detached_parts_bytes", db, HOSTILE, "manual")] > 0
        assert sampled[("clickhouse_detached_parts_all", "manual")] >= 1
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert row["bytes"] > 0
        assert (row["reason"], row["reason_class"], row["count"]) == ("", "manual", 1)


def test_a_damaged_part_is_broken_after_the_table_is_loaded(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = make_table(embedded, (db, "t"))
        insert(embedded, quoted, 2)
        folder = folder_of(embedded, db)
        embedded.execute(f"DETACH TABLE {quoted}")
        (folder / "202001_1_1_0" / "columns.txt").write_text("garbage")
        embedded.execute(f"ATTACH TABLE {quoted}")
        found = run(address_of(embedded), PANEL)
        assert values(found)[(COUNT, db, "t", "broken")] == 1
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert row["reason"] == "broken-on-start"
        assert found.rows[0].reason_class == "broken", "the worst class is first"


def test_strange_directories_are_counted_once_a_class(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = make_table(embedded, (db, "t"))
        insert(embedded, quoted)
        detached = folder_of(embedded, db) / "detached"
        names = ["odd_all_1_1_0", "<!channel>_all_1_1_0", "ignored_202001_3_3_0", "clone_202001_4_4_0", "x"]
        for name in [*names, "attaching_202001_5_5_0"]:
            (detached / name).mkdir()
        sampled = values(run(address_of(embedded), PANEL))
        classes = {key[3]: value for key, value in sampled.items() if key[:3] == (COUNT, db, "t")}
        assert classes == {"unexpected": 2, "harmless": 2, "temporary": 1, "manual": 1}


def test_a_healthy_table_is_absent_and_sizes_are_not_asked(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        insert(embedded, make_table(embedded, (db, "t")))
        found = run(address_of(embedded), PANEL)
        assert db not in str(found.rows)
        assert found.status is Status.OK
        assert values(found)[("clickhouse_detached_parts_all", "broken")] == 0
        assert found.rows or found.queries == 1


def test_18_has_no_such_table(replicas: list[ClickHouse18]) -> None:
    assert run(address_of(replicas[0]), PANEL).status is Status.UNSUPPORTED


def test_reasons_of_one_class_are_one_series() -> None:
    rows = [
        Row("d", "t", "ignored", "harmless", 2, 10),
        Row("d", "t", "clone", "harmless", 1, 5),
        Row("d", "u", "broken", "broken", 1, None),
    ]
    sampled = {(s.metric.name, *s.labels): s.value for s in broken_parts.samples(rows)}
    assert sampled[(COUNT, "d", "t", "harmless")] == 3
    assert sampled[("clickhouse_detached_parts_bytes", "d", "t", "harmless")] == 15
    assert ("clickhouse_detached_parts_bytes", "d", "u", "broken") not in sampled

"""Parts that real inserts create and real merges take away, on ClickHouse 26.9 and 18.16."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustersight.clickhouse.sql import literal
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan
from clustersight.panels import async_inserts, part_log
from clustersight.panels.panel import Status
from clustersight.panels.part_log import PANEL, Row, Totals
from tests.panels.replicated import replicated_table
from tests.panels.tables import HOSTILE, Server, address_of, database, insert, make_table
from tests.panels.visiting import CLOCK, run_until, values, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until

GROWTH = "clickhouse_table_parts_growth_per_second"
# A window is five minutes: so many a second are one event.
ONE = 1 / 300


@pytest.fixture(params=["embedded", "replicas"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, list) else found


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_log, "FLUSH_SECONDS", 0)


def rows_of(found: PanelRun, db: str) -> list[dict[str, object]]:
    return [row for row in PANEL.payload(found.rows) if row["database"] == db]


def is_one_part(server: Server, db: str, quoted: str) -> bool:
    """Merge, and see what is left: beside a merge that runs already, OPTIMIZE does nothing."""
    server.execute(f"OPTIMIZE TABLE {quoted} FINAL")
    parts = f"SELECT count() FROM system.parts WHERE active AND database = {literal(db)}"
    return int(server.execute(parts)[0][0]) == 1


def test_parts_are_counted_as_they_come_and_go(server: Server) -> None:
    with database(server, HOSTILE) as db:
        quoted = make_table(server, (db, HOSTILE))
        insert(server, quoted, times=5)
        insert(server, quoted, select="number, 'x' FROM system.numbers LIMIT 2000")
        wait_until(lambda: is_one_part(server, db, quoted), 30, "all parts are merged into one")
        # Only the part of the merge is left: five went, whatever merges there were before.
        found = run_until(
            address_of(server), PANEL, lambda one: values(one).get((GROWTH, db, HOSTILE)) == ONE
        )
    assert found.status is Status.OK, found.error
    known = values(found)
    assert known["clickhouse_table_parts_created_per_second", db, HOSTILE] == pytest.approx(6 * ONE)
    assert known["clickhouse_table_small_parts_created_per_second", db, HOSTILE] == pytest.approx(5 * ONE)
    assert known["clickhouse_table_parts_merged_per_second", db, HOSTILE] == pytest.approx(5 * ONE)
    assert known["clickhouse_table_rows_per_created_part", db, HOSTILE] == pytest.approx(2005 / 6)
    assert known["clickhouse_parts_created_per_second",] >= 6 * ONE
    assert known["clickhouse_parts_merged_per_second",] >= 5 * ONE
    assert known["clickhouse_small_parts_created_per_second",] >= 5 * ONE
    [row] = rows_of(found, db)
    assert (row["created_per_min"], row["small_per_min"], row["growth_per_min"]) == (1.2, 1.0, 0.2)
    assert not rows_of(found, "system"), "nobody can batch ClickHouse's own logs"


def test_a_replica_grows_by_what_it_fetches(replicas: list[ClickHouse18]) -> None:
    with replicated_table(replicas) as table:
        for number in range(3):  # in the oldest syntax the first and last day stand in a part's name
            days = f"SELECT toDate('2020-01-01') + number, {number} FROM system.numbers LIMIT 2"
            replicas[0].execute(f"INSERT INTO {table.quoted} {days}")
        series = (GROWTH, *table.labels)
        address = address_of(replicas[1])
        found = run_until(address, PANEL, lambda one: values(one).get(series) == pytest.approx(3 * ONE))
    [row] = rows_of(found, table.database)
    assert (row["created_per_min"], row["fetched_per_min"], row["growth_per_min"]) == (0, 0.6, 0.6)


def test_a_replica_that_fetches_merged_parts_has_no_growth(embedded: EmbeddedServer) -> None:
    """How many parts they take the place of is not known. The embedded engine has one replica: by hand."""
    with database(embedded) as db:
        place = f"{literal(db)}, 'a_b', '202001'"
        embedded.execute(
            "INSERT INTO system.part_log"
            " (event_date, event_time, database, table, partition_id, event_type, part_name, error)"
            f" VALUES (today(), now() - 2, {place}, 'DownloadPart', '202001_7_7_0', 0),"
            f" (today(), now() - 2, {place}, 'DownloadPart', '202001_8_8_0_9', 0),"
            f" (today(), now() - 2, {place}, 'DownloadPart', '202001_1_6_1', 0),"
            f" (today(), now() - 2, {place}, 'NewPart', '202001_9_9_0', 241)"
        )
        found = run_until(address_of(embedded), PANEL, lambda one: bool(rows_of(one, db)))
    [row] = rows_of(found, db)
    assert (row["fetched_per_min"], row["growth_per_min"]) == (0.4, None)
    assert row["created_per_min"] == 0, "a part that failed was not created"
    assert (GROWTH, db, "a_b") not in values(found)


def test_a_replica_that_fetches_some_merged_parts_grows_at_least(embedded: EmbeddedServer) -> None:
    """A part of the blocks 1 to 6 takes the place of six parts at the most."""
    with database(embedded) as db:
        logged(embedded, (db, "t"), ("DownloadPart", 10), ("NewPart", 5))
        embedded.execute(
            "INSERT INTO system.part_log"
            " (event_date, event_time, database, table, partition_id, event_type, part_name)"
            f" VALUES (today(), now() - 2, {literal(db)}, 't', '202001', 'DownloadPart', '202001_1_6_1')"
        )
        found = run_until(address_of(embedded), PANEL, lambda one: bool(rows_of(one, db)))
    [row] = rows_of(found, db)
    assert (row["fetched_per_min"], row["growth_per_min"]) == (2.0, 2.0)


def logged(server: EmbeddedServer, name: tuple[str, str], *events: tuple[str, int]) -> None:
    """Rows of part_log, by hand: of each event so many, of parts with one row."""
    server.execute("SYSTEM FLUSH LOGS system.part_log")
    place = f"{literal(name[0])}, {literal(name[1])}, '202001'"
    for event, count in events:
        server.execute(
            "INSERT INTO system.part_log"
            " (event_date, event_time, database, table, partition_id, event_type, part_name, rows,"
            " merged_from)"
            f" SELECT today(), now() - 2, {place}, '{event}', concat('202001_1', repeat('_1', 2)), 1,"
            f" if('{event}' = 'MergeParts', ['a', 'b'], []) FROM numbers({count})"
        )


def test_tables_that_live_for_one_statement_are_left_out(embedded: EmbeddedServer) -> None:
    """Nothing ever merges their parts: they are dropped with them, at each refresh of a view."""
    with database(embedded) as db:
        select = "AS SELECT number AS n FROM numbers(4)"
        embedded.execute(
            f"CREATE MATERIALIZED VIEW {db}.v REFRESH EVERY 1 HOUR ENGINE = MergeTree ORDER BY n {select}"
        )
        embedded.execute(f"SYSTEM WAIT VIEW {db}.v")
        embedded.execute(f"CREATE OR REPLACE TABLE {db}.r ENGINE = MergeTree ORDER BY n {select}")
        insert(embedded, make_table(embedded, (db, "t")))
        embedded.execute("SYSTEM FLUSH LOGS")
        logs = embedded.execute(f"SELECT DISTINCT table FROM system.part_log WHERE database = '{db}'")
        assert len(logs) == 3
        found = run_until(address_of(embedded), PANEL, lambda one: bool(rows_of(one, db)))
    assert [row["table"] for row in rows_of(found, db)] == ["t"]


def test_where_there_are_too_many_tables_those_with_small_inserts_stay(
    embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their merges keep up: by growth alone they would be the first to go, and their alert with them."""
    monkeypatch.setattr(part_log, "MOST_TABLES", 2)
    with database(embedded) as db:
        logged(embedded, (db, "small"), ("NewPart", 900), ("MergeParts", 900))
        logged(embedded, (db, "worse"), ("NewPart", 800))
        for number in range(3):
            logged(embedded, (db, f"grows{number}"), ("NewPart", 1))
        found = run_until(address_of(embedded), PANEL, lambda one: bool(rows_of(one, db)))
    assert [row["table"] for row in rows_of(found, db)] == ["worse", "small"]


def test_a_log_that_is_made_later_is_found(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded()
    watch = watching(address_of(server))
    plan = Plan((PANEL, async_inserts.PANEL))
    try:
        [before, inserts] = collect(watch, plan, CLOCK).runs
        assert before.status is Status.UNSUPPORTED
        assert "<part_log>" in before.error
        assert "<asynchronous_insert_log>" in inserts.rows[0].log.note
        server.execute("CREATE TABLE default.t (a Int32) ENGINE = MergeTree ORDER BY a")
        server.execute("INSERT INTO default.t VALUES (1)")
        server.execute("SYSTEM FLUSH LOGS")
        [after, inserts] = collect(watch, plan, CLOCK).runs
    finally:
        watch.close()
    assert (after.status, after.error) == (Status.OK, "")
    assert inserts.rows[0].log.note == ""


def test_the_totals_are_nobodys_evidence() -> None:
    row = Row("d", "t", 1.0, 1.0, 0.0, 0.0, 1.0, 10.0)
    rows = [Totals(9.0, 9.0, 9.0), row]
    assert PANEL.row_of(rows, {"database": "d", "table": "t"}) is row
    assert PANEL.row_of(rows, {"database": "d", "table": "u"}) is None
    assert len(PANEL.payload(rows)) == 1

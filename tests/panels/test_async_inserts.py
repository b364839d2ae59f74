"""Asynchronous inserts. The engine of the tests writes them at once, so none ever waits or fails unseen:

its log is real and its rows are put in by hand, and a table of the same columns stands in for the queue.
"""

from __future__ import annotations

from clustersight.clickhouse.sql import compose, ident, literal
from clustersight.collect import collect
from clustersight.collection import Plan
from clustersight.panels import async_insert_log, async_inserts
from clustersight.panels.async_insert_log import Reading, Table
from clustersight.panels.async_inserts import PANEL, Row, Waiting
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, address_of, database
from tests.panels.visiting import CLOCK, run, values, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

FAILED = ("clickhouse_failed_async_inserts_total",)
TABLE_FAILED = "clickhouse_table_async_inserts_failed"
INSERTS = ("clickhouse_async_inserts_total",)


def log(server: EmbeddedServer, db: str, status: str, seconds_ago: int, exception: str = "") -> None:
    server.execute(
        "INSERT INTO system.asynchronous_insert_log"
        " (event_date, event_time, flush_time, database, table, status, exception)"
        f" SELECT today(), now() - {seconds_ago} - 5, now() - {seconds_ago}, {literal(db)},"
        f" {literal(HOSTILE)}, {literal(status)}, {literal(exception)}"
    )


def test_counters_are_there_before_anything_happened(embedded: EmbeddedServer) -> None:
    """system.events hides zeros, and increase() would miss the first failure."""
    found = run(address_of(embedded), PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    known = values(found)
    assert (known[FAILED], known[INSERTS]) == (0, 0)
    assert known["clickhouse_async_insert_bytes_total",] == 0
    assert known["clickhouse_async_inserts_pending",] == 0
    assert known["clickhouse_async_insert_oldest_pending_seconds",] == 0


def test_failures_of_the_window_are_told_by_table_and_without_values(embedded: EmbeddedServer) -> None:
    embedded.execute("SYSTEM FLUSH LOGS")
    with database(embedded, HOSTILE) as db:
        log(embedded, db, "Ok", 60)
        log(embedded, db, "FlushError", 40, "Code: 241. DB::Exception: Memory limit exceeded")
        log(embedded, db, "ParsingError", 30, "Code: 6. DB::Exception: Cannot parse string 'secret' as UInt8")
        log(embedded, db, "FlushError", 4000, "Code: 1. too old")
        found = run(address_of(embedded), PANEL)
    assert (found.status, found.rows[0].log.note) == (Status.OK, "")
    assert values(found)[TABLE_FAILED, db, HOSTILE] == 2
    [payload] = PANEL.payload(found.rows)
    [row] = [one for one in payload["tables"] if one["database"] == db]
    assert (row["flushed"], row["parsing_errors"], row["flush_errors"]) == (1, 1, 1)
    assert row["last_exception"] == "Code: 6. Cannot parse string …"
    assert row["last_failed_at"].endswith("Z")
    assert "secret" not in str(payload)


def test_a_table_whose_inserts_work_has_no_series_of_failures(embedded: EmbeddedServer) -> None:
    embedded.execute("SYSTEM FLUSH LOGS")
    with database(embedded) as db:
        log(embedded, db, "Ok", 30)
        found = run(address_of(embedded), PANEL)
    [row] = [one for one in found.rows[0].log.tables if one.database == db]
    assert (row.flushed, row.failed) == (1, 0)
    assert (TABLE_FAILED, db, HOSTILE) not in values(found)
    assert async_insert_log.payload(row)["last_failed_at"] is None


def test_the_slow_part_is_read_when_it_is_due_and_kept_meanwhile(embedded: EmbeddedServer) -> None:
    watch = watching(address_of(embedded))
    try:
        before, due, kept = (
            collect(watch, Plan((PANEL,), tier2_due=is_due), CLOCK).runs[0] for is_due in (False, True, False)
        )
    finally:
        watch.close()
    assert before.queries == 1, "counters, which other panels ask for as well"
    assert before.rows[0].log.note == "not read yet"
    assert due.rows[0].log.note != "not read yet"
    assert kept.rows[0].log is due.rows[0].log
    assert kept.queries == 1


def test_what_waits_is_summed_up_by_table(embedded: EmbeddedServer) -> None:
    columns = embedded.execute(
        "SELECT name, type FROM system.columns WHERE database = 'system' AND table = 'asynchronous_inserts'"
    )
    with database(embedded, HOSTILE) as db:
        stand_in = ident(db, "asynchronous_inserts")
        described = ", ".join(f"{ident(name)} {type_}" for name, type_ in columns)
        embedded.execute(f"CREATE TABLE {stand_in} ({described}) ENGINE = Memory")
        embedded.execute(
            f"INSERT INTO {stand_in} (database, table, first_update, total_bytes, `entries.query_id`,"
            " `entries.bytes`) SELECT 'd', 't', now() - 60 * number, 10, ['a', 'b'], [5, 5] FROM numbers(2)"
        )
        sql = compose(async_inserts.SQL, lambda _: True).replace("system.asynchronous_inserts", stand_in)
        [row] = embedded.execute(sql)
    waiting = Waiting(*row)
    assert (waiting.database, waiting.table, waiting.inserts, waiting.bytes) == ("d", "t", 4, 20)
    assert 60 <= waiting.oldest_seconds < 120
    node = Row(1, 2, 3, None, (waiting,), Reading((Table("d", "t", 0, 0, 1, 5, ""),)))
    known = {(s.metric.name, *s.labels): s.value for s in PANEL.samples([node])}
    assert known["clickhouse_async_insert_oldest_pending_seconds",] == waiting.oldest_seconds
    assert known[TABLE_FAILED, "d", "t"] == 1
    assert ("clickhouse_async_inserts_pending",) not in known
    assert PANEL.payload([node])[0]["waiting"][0]["inserts"] == 4


def test_18_has_none(replicas: list[ClickHouse18]) -> None:
    assert run(address_of(replicas[0]), PANEL).status is Status.UNSUPPORTED

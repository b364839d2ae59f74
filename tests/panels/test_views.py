"""Refreshable views that refresh, and one that throws, on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from clustersight.clickhouse.sql import ident
from clustersight.collect import collect
from clustersight.collection import Plan
from clustersight.panels.panel import Status
from clustersight.panels.views import PANEL
from tests.panels.tables import HOSTILE, address_of, database
from tests.panels.visiting import CLOCK, run, run_until, values, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

FAILING = "clickhouse_view_refresh_failing"
AGE = "clickhouse_view_refresh_last_success_age_seconds"


def make(server: EmbeddedServer, name: tuple[str, str], select: str) -> None:
    server.execute(
        f"CREATE MATERIALIZED VIEW {ident(*name)} REFRESH EVERY 1 SECOND ENGINE = Memory"
        f" AS SELECT {select} AS x"
    )


def test_a_view_whose_refresh_fails_is_failing(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db:
        good, bad = (db, HOSTILE), (db, "bad")
        make(embedded, good, "1")
        make(embedded, bad, "throwIf(1, 'private: customer 55512345')")
        found = run_until(
            address_of(embedded),
            PANEL,
            lambda one: values(one).get((FAILING, *bad)) == 1 and (AGE, *good) in values(one),
        )
        sampled = values(found)
        assert (sampled[FAILING, *bad], sampled[FAILING, *good]) == (1, 0)
        assert (AGE, *bad) not in sampled
        assert 0 <= sampled[AGE, *good] < 60
        assert sampled[("clickhouse_view_refreshes_failing",)] >= 1
        assert sampled[("clickhouse_view_refreshes",)] >= 2
        row = PANEL.row_of(found.rows, {"database": db, "view": "bad"})
        assert row is not None
        assert row.exception == "Code: 395. (the query's own text)"
        assert "private" not in str(found.rows)
        shown = {one["view"]: one for one in PANEL.payload(found.rows) if one["database"] == db}
        assert (shown["bad"]["is_failing"], shown["bad"]["last_success_at"]) == (True, None)
        assert shown[HOSTILE]["last_success_at"].endswith("Z")


def test_the_worst_comes_first_and_a_view_that_heals_is_over(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        embedded.execute(f"CREATE TABLE {db}.n (n UInt64) ENGINE = Memory")
        embedded.execute(f"INSERT INTO {db}.n VALUES (1)")
        make(embedded, (db, "v"), f"throwIf((SELECT count() FROM {db}.n) > 0)")
        key = (FAILING, db, "v")
        failing = run_until(address_of(embedded), PANEL, lambda one: values(one).get(key) == 1)
        assert values(failing)[key] == 1
        assert (failing.rows[0].database, failing.rows[0].view) == (db, "v")
        embedded.execute(f"TRUNCATE TABLE {db}.n")
        embedded.execute(f"SYSTEM REFRESH VIEW {db}.v")
        assert values(run_until(address_of(embedded), PANEL, lambda one: values(one)[key] == 0))[key] == 0


def test_a_restart_heals_nothing(own_embedded: Callable[..., EmbeddedServer]) -> None:
    """It empties the exception until a refresh ends: that takes a minute here, a day before 26."""
    server = own_embedded()
    server.execute("CREATE DATABASE d ENGINE = Atomic")
    server.execute("CREATE TABLE d.n (n UInt64) ENGINE = MergeTree ORDER BY n")
    server.execute("INSERT INTO d.n VALUES (0)")
    slowly = "SETTINGS function_sleep_max_microseconds_per_block = 100000000"
    select = f"throwIf(n = 0) + sleepEachRow(0.5) AS x FROM d.n {slowly}"
    server.execute(f"CREATE MATERIALIZED VIEW d.v REFRESH EVERY 1 DAY ENGINE = Memory AS SELECT {select}")
    watch, key = watching(address_of(server)), (FAILING, "d", "v")
    with contextlib.closing(watch):
        run_until(address_of(server), PANEL, lambda one: values(one).get(key) == 1)
        before = collect(watch, Plan([PANEL]), CLOCK).runs[0]
        server.execute("TRUNCATE TABLE d.n")
        server.execute("INSERT INTO d.n SELECT 1 FROM numbers(100)")
        server.restart()
        watch.uptime_seconds = 60  # the engine's is always 0, which is then seen as a restart
        assert values(run(address_of(server), PANEL))[key] == 0
        after = collect(watch, Plan([PANEL]), CLOCK).runs[0]
        server.execute("SYSTEM CANCEL VIEW d.v")
        server.execute("TRUNCATE TABLE d.n")
        server.execute("SYSTEM REFRESH VIEW d.v")
        server.execute("SYSTEM WAIT VIEW d.v")
        healed = collect(watch, Plan([PANEL]), CLOCK).runs[0]
    assert [values(one)[key] for one in (before, after, healed)] == [1, 1, 0]
    assert after.rows[0].exception == before.rows[0].exception != ""


def test_18_has_no_such_table(replicas: list[ClickHouse18]) -> None:
    found = run(address_of(replicas[0]), PANEL)
    assert (found.status, found.samples) == (Status.UNSUPPORTED, ())

"""A table that really fails to load, seen while its database is being attached (the engine of the tests
does not start with such a table, as a server does)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from clustersight.clickhouse.sql import ident, literal
from clustersight.collection import PanelRun
from clustersight.panels import tables
from clustersight.panels.panel import Status
from clustersight.panels.tables import PANEL
from tests.panels.tables import address_of, database
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

TOTAL = ("clickhouse_tables_load_failed",)
TABLE = "clickhouse_table_load_failed"
BROKEN = ("plain", "with.dot <!channel>\n`x`")
# Its rows are read while the database is attached: so long the jobs that failed are there to be seen.
SLOW_ROWS = 8_000_000
PATIENCE = 20


@contextmanager
def unloadable(server: EmbeddedServer) -> Iterator[str]:
    """A detached database of which two tables cannot be loaded, until the end."""
    with database(server) as db:
        server.execute(f"CREATE TABLE {ident(db, 'slow')} (n UInt64) ENGINE = Join(ANY, LEFT, n)")
        server.execute(f"INSERT INTO {ident(db, 'slow')} SELECT number FROM numbers({SLOW_ROWS})")
        for name in BROKEN:
            server.execute(
                f"CREATE TABLE {ident(db, name)} (n UInt64, s String DEFAULT 'secret') ENGINE = MergeTree"
                " ORDER BY n SETTINGS min_bytes_for_wide_part = 0, max_suspicious_broken_parts = 0"
            )
            server.execute(f"INSERT INTO {ident(db, name)} (n) VALUES (1)")
        parts = server.execute(f"SELECT path FROM system.parts WHERE database = {literal(db)} AND active")
        files = [Path(path) / "columns.txt" for (path,) in parts]
        good = [file.read_bytes() for file in files]
        for file in files:
            file.write_text("garbage")
        server.execute(f"DETACH DATABASE {ident(db)}")
        try:
            yield db
        finally:
            for file, content in zip(files, good, strict=True):
                file.write_bytes(content)
            server.execute(f"ATTACH DATABASE {ident(db)}")


def seen_while_attached(server: EmbeddedServer, db: str) -> PanelRun:
    """The visit that saw most of it; the database is attached anew until one saw all."""

    def attach() -> None:
        with suppress(EmbeddedError):
            server.execute(f"ATTACH DATABASE {ident(db)}")

    best = run(address_of(server), PANEL)
    for _ in range(PATIENCE):
        attaching = threading.Thread(target=attach)
        attaching.start()
        while attaching.is_alive():
            best = max(best, run(address_of(server), PANEL), key=lambda one: len(one.rows))
        attaching.join()
        if len(best.rows) == len(BROKEN):
            break
    return best


def test_tables_that_do_not_load_are_named(embedded: EmbeddedServer) -> None:
    with unloadable(embedded) as db:
        found = seen_while_attached(embedded, db)
    assert (found.status, found.error) == (Status.OK, "")
    # What is left of the database is one whose name is all before the first dot.
    assert values(found) == {TOTAL: 2, (TABLE, db, BROKEN[0]): 1}
    sure, unsure = PANEL.payload(found.rows)
    assert sure["job"] == f"load table {db}.plain"
    assert sure["exception"].startswith("Code: 231. Suspiciously many (1 parts")
    assert (unsure["database"], unsure["table"]) == (None, None)
    assert "with.dot" in unsure["job"]
    assert "secret" not in str(PANEL.payload(found.rows))
    healed = run(address_of(embedded), PANEL)
    assert values(healed) == {TOTAL: 0}


def test_18_has_no_such_table(replicas: list[ClickHouse18]) -> None:
    assert run(address_of(replicas[0]), PANEL).status is Status.UNSUPPORTED


@pytest.mark.parametrize(
    ("job", "databases", "place"),
    [
        ("load table d.t", (), ("d", "t")),
        ("startup table d.t", (), ("d", "t")),
        ("load table d.t.u", ("d", "e"), ("d", "t.u")),
        ("load table d.t.u", ("d.t", "e"), ("d.t", "u")),
        ("load table d.t.u", ("d", "d.t"), (None, None)),
        ("load table d.t.u", (), (None, None)),
        ("load table t", ("d",), (None, None)),
        ("startup Replicated database d.e", (), ("d.e", None)),
        ("something new d.t", ("d",), (None, None)),
    ],
)
def test_a_place_is_said_only_where_it_is_sure(
    job: str, databases: tuple[str, ...], place: tuple[str | None, str | None]
) -> None:
    assert tables._place(job, databases) == place

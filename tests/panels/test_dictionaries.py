"""Dictionaries that fail, heal, and are forgotten by a restart, on both ends of the version range."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustersight.clickhouse.sql import ident, literal
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan
from clustersight.panels import dictionaries
from clustersight.panels.dictionaries import PANEL
from clustersight.panels.panel import Status
from tests.conftest import running
from tests.panels.tables import HOSTILE, address_of, database
from tests.panels.visiting import CLOCK, run, values, watching
from tests.servers.clickhouse18 import ClickHouse18, Options
from tests.servers.embedded import EmbeddedError, EmbeddedServer

Name = tuple[str, str]


def make(server: EmbeddedServer, name: Name, source: str = "", layout: str = "FLAT()") -> None:
    """A dictionary of the table `source` of its database, which need not be there; not loaded yet."""
    table = f"DB {literal(name[0])} TABLE 'source'"
    server.execute(
        f"CREATE DICTIONARY {ident(*name)} (id UInt64, v String) PRIMARY KEY id"
        f" SOURCE(CLICKHOUSE({table} {source})) LAYOUT({layout}) LIFETIME(MIN 1 MAX 1)"
    )


def make_source(server: EmbeddedServer, db: str) -> None:
    server.execute(f"CREATE TABLE {ident(db, 'source')} (id UInt64, v String) ENGINE = MergeTree ORDER BY id")


def load(server: EmbeddedServer, name: Name) -> None:
    with contextlib.suppress(EmbeddedError):
        server.execute(f"SYSTEM RELOAD DICTIONARY {ident(*name)}")


def of(found: PanelRun, name: Name) -> dict[str, float]:
    family = "clickhouse_dictionary_"
    return {key[0].removeprefix(family): value for key, value in values(found).items() if key[1:] == name}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stale as soon as it is older than its lifetime; the engine never updates by itself."""
    monkeypatch.setitem(dictionaries.LATE, "lifetimes", -1)
    monkeypatch.setitem(dictionaries.LATE, "slack_seconds", 0)


@pytest.fixture
def db(embedded: EmbeddedServer) -> Iterator[str]:
    with database(embedded, HOSTILE) as name:
        yield name


def test_one_that_does_not_load_fails_until_it_does(embedded: EmbeddedServer, db: str) -> None:
    name = (db, HOSTILE)
    make(embedded, name)
    assert of(run(address_of(embedded), PANEL), name) == {"failing": 0, "stale": 0}
    load(embedded, name)
    found = run(address_of(embedded), PANEL)
    assert of(found, name) == {"failing": 1, "stale": 0}
    assert values(found)[("clickhouse_dictionaries_failing",)] >= 1
    row = PANEL.row_of(found.rows, {"database": db, "dictionary": HOSTILE})
    assert row is not None
    assert row.exception == "Code: 60. Unknown table expression identifier …"
    make_source(embedded, db)
    load(embedded, name)
    sampled = of(run(address_of(embedded), PANEL), name)
    assert (sampled["failing"], sampled["update_age_seconds"] < 60, sampled["bytes"] > 0) == (0, True, True)


def test_two_databases_may_have_dictionaries_of_one_name(embedded: EmbeddedServer, db: str) -> None:
    with database(embedded) as other:
        make(embedded, (db, "x"))
        make(embedded, (other, "x"))
        load(embedded, (other, "x"))
        found = run(address_of(embedded), PANEL)
        assert (of(found, (db, "x"))["failing"], of(found, (other, "x"))["failing"]) == (0, 1)
        shown = {row["database"]: row for row in PANEL.payload(found.rows)}
        assert (shown[db]["status"], shown[other]["status"]) == ("NOT_LOADED", "FAILED")
        assert shown[other]["is_failing"] is True


@pytest.mark.usefixtures("impatient")
def test_old_data_are_stale_only_where_they_are_loaded_anew_each_time(
    embedded: EmbeddedServer, db: str
) -> None:
    make_source(embedded, db)
    make(embedded, (db, "plain"))
    make(embedded, (db, "conditional"), "INVALIDATE_QUERY 'SELECT 1'")
    make(embedded, (db, "cache"), layout="CACHE(SIZE_IN_CELLS 10)")
    make(embedded, (db, "unloaded"))
    embedded.execute(
        f"CREATE DICTIONARY {ident(db, 'nothing')} (id UInt64, v String) PRIMARY KEY id"
        " SOURCE(NULL()) LAYOUT(FLAT()) LIFETIME(MIN 1 MAX 1)"
    )
    for name in ("plain", "conditional", "cache", "nothing"):
        load(embedded, (db, name))
    found = run(address_of(embedded), PANEL)
    stale = {row["dictionary"] for row in PANEL.payload(found.rows) if row["is_stale"]}
    assert stale == {"plain"}
    assert values(found)[("clickhouse_dictionaries_stale",)] == 1


def test_what_is_younger_than_three_lifetimes_is_not_stale(embedded: EmbeddedServer, db: str) -> None:
    make_source(embedded, db)
    make(embedded, (db, "x"))
    load(embedded, (db, "x"))
    assert of(run(address_of(embedded), PANEL), (db, "x"))["stale"] == 0


def test_a_restart_heals_nothing(own_embedded: Callable[..., EmbeddedServer]) -> None:
    """It leaves a failed dictionary NOT_LOADED, without an exception."""
    server = own_embedded()
    server.execute("CREATE DATABASE d")
    make(server, ("d", "x"))
    make(server, ("d", "never"))
    load(server, ("d", "x"))
    watch = watching(address_of(server))

    def row() -> tuple[str, bool, str]:
        found = collect(watch, Plan([PANEL]), CLOCK).runs[0]
        assert of(found, ("d", "never"))["failing"] == 0
        [shown] = [one for one in PANEL.payload(found.rows) if one["dictionary"] == "x"]
        return shown["status"], shown["is_failing"], shown["last_exception"]

    try:
        status, failing, exception = row()
        assert (status, failing) == ("FAILED", True)
        server.restart()
        watch.uptime_seconds = 60  # the engine's is always 0, which is then seen as a restart
        assert row() == ("NOT_LOADED", True, exception)
        assert row() == ("NOT_LOADED", True, exception)
        make_source(server, "d")
        load(server, ("d", "x"))
        assert row() == ("LOADED", False, "")
    finally:
        watch.close()


def test_one_that_is_dropped_is_forgotten(embedded: EmbeddedServer, db: str) -> None:
    make(embedded, (db, "x"))
    load(embedded, (db, "x"))
    watch = watching(address_of(embedded))
    try:
        collect(watch, Plan([PANEL]), CLOCK)
        embedded.execute(f"DROP DICTIONARY {ident(db, 'x')}")
        collect(watch, Plan([PANEL]), CLOCK)
        make(embedded, (db, "x"))
        assert of(collect(watch, Plan([PANEL]), CLOCK).runs[0], (db, "x"))["failing"] == 0
    finally:
        watch.close()


def test_without_show_dictionaries_nobody_says_that_all_is_well(
    own_embedded: Callable[..., EmbeddedServer],
) -> None:
    before = own_embedded()
    before.execute("CREATE DATABASE d")
    make(before, ("d", "x"))
    before.stop()
    server = EmbeddedServer(before.folder, grants=["GRANT SELECT ON system.*", "GRANT SHOW TABLES ON *.*"])
    with running(server):
        found = run(address_of(server), PANEL)
    assert found.status is Status.ACCESS_DENIED
    assert "GRANT SHOW DICTIONARIES ON *.*" in found.error


XML = """<dictionary><name>{name}</name>
    <source><file><path>{file}</path><format>TabSeparated</format></file></source>
    <lifetime>1</lifetime><layout><flat/></layout><structure><id><name>id</name></id>
    <attribute><name>v</name><type>String</type><null_value></null_value></attribute></structure>
</dictionary>"""


def test_18_tells_which_fail(own_clickhouse18: Callable[..., ClickHouse18], tmp_path: Path) -> None:
    (tmp_path / "there.tsv").write_text("1\tx\n")
    made = "".join(XML.format(name=name, file=tmp_path / f"{name}.tsv") for name in ("there", "secret"))
    (tmp_path / "all_dictionary.xml").write_text(f"<yandex>{made}</yandex>")
    server = own_clickhouse18(Options(config={"dictionaries_config": str(tmp_path / "*_dictionary.xml")}))
    found = run(address_of(server), PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    assert of(found, ("", "secret")) == {"failing": 1, "stale": 0}
    there = of(found, ("", "there"))
    assert (there["failing"], there["stale"], there["bytes"] > 0) == (0, 0, True)
    assert "update_age_seconds" not in there
    [row] = [row for row in PANEL.payload(found.rows) if row["is_failing"]]
    assert (row["status"], row["lifetime_seconds"]) == ("FAILED", 0)
    assert row["last_exception"].startswith("Code: 107")

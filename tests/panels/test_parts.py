"""Tables near their limits, inserts that are slowed and refused: for real, on both ends of the versions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clustersight.clickhouse.sql import ident, literal
from clustersight.collect import collect
from clustersight.collection import Plan, Watch
from clustersight.metrics import Sample
from clustersight.panels import compression, part_counts, parts
from clustersight.panels.counters import Counters
from clustersight.panels.counters import Row as Counter
from clustersight.panels.panel import Status
from clustersight.panels.part_limits import DELAY, LARGE, THROW, TOTAL, AllLimits
from clustersight.panels.parts import PANEL, Row, Totals
from tests.panels.tables import HOSTILE, Server, address_of, database, insert, make_table
from tests.panels.visiting import CLOCK, run, values, watching
from tests.panels.visiting import visit as visiting
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import ClosingPeer
from tests.servers.process import wait_until

PRESSURE = "clickhouse_table_parts_pressure_ratio"
DELAY_PRESSURE = "clickhouse_table_parts_delay_pressure_ratio"
TOTAL_PRESSURE = "clickhouse_table_parts_total_pressure_ratio"
PARTS = "clickhouse_table_parts"
DELAYED = ("clickhouse_delayed_inserts_total",)
REJECTED = ("clickhouse_rejected_inserts_total",)


@pytest.fixture(params=["26", "18"])
def server(request: pytest.FixtureRequest) -> Server:
    if request.param == "26":
        found: Server = request.getfixturevalue("embedded")
        return found
    oldest: Server = request.getfixturevalue("replicas")[0]
    return oldest


@pytest.fixture
def watched(server: Server) -> Iterator[Watch]:
    watch = watching(address_of(server))
    yield watch
    watch.close()


def visit(watch: Watch, **plan: Any) -> dict[tuple[str, ...], float]:
    found = collect(watch, Plan([PANEL], **plan), CLOCK).runs[0]
    assert found.status is Status.OK, found.error
    return values(found)


def unmerged(server: Server, name: tuple[str, str], settings: str) -> str:
    quoted = make_table(server, name, settings)
    server.execute(f"SYSTEM STOP MERGES {quoted}")
    return quoted


def test_a_table_near_its_own_limit_is_told_by_it(server: Server) -> None:
    with database(server, HOSTILE) as db:
        quoted = unmerged(server, (db, HOSTILE), "parts_to_throw_insert = 10, parts_to_delay_insert = 8")
        insert(server, quoted, 6)
        found = run(address_of(server), PANEL)
        sampled = values(found)
        assert sampled[(PRESSURE, db, HOSTILE)] == pytest.approx(0.6)
        assert sampled[(DELAY_PRESSURE, db, HOSTILE)] == pytest.approx(0.75)
        assert sampled[(PARTS, db, HOSTILE)] == 6
        assert sampled[("clickhouse_table_parts_max_per_partition", db, HOSTILE)] == 6
        assert sampled[("clickhouse_parts_max_pressure_ratio",)] >= 0.6
        assert sampled[("clickhouse_parts_max_delay_pressure_ratio",)] >= 0.75
        assert sampled[("clickhouse_parts_active",)] >= 6
        assert sampled[("clickhouse_tables",)] >= 1
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert (row["throw_limit"], row["delay_limit"], row["pressure_pct"]) == (10, 8, 60)
        assert (row["worst_partition"], row["partitions"]) == ("202001", 1)
        worst = PANEL.row_of(found.rows, {"database": db, "table": HOSTILE})
        assert isinstance(worst, Row)
        assert worst.counted == 6


def test_the_total_limit_exists_on_26_only(server: Server) -> None:
    is_new = isinstance(server, EmbeddedServer)
    with database(server) as db:
        more = ", max_parts_in_total = 12" if is_new else ""
        quoted = unmerged(server, (db, "t"), f"parts_to_throw_insert = 10{more}")
        insert(server, quoted, 6)
        sampled = values(run(address_of(server), PANEL))
        assert ((TOTAL_PRESSURE, db, "t") in sampled) is is_new
        assert (("clickhouse_parts_max_total_pressure_ratio",) in sampled) is is_new
        if is_new:
            assert sampled[(TOTAL_PRESSURE, db, "t")] == 0.5


def test_a_limit_with_a_longer_name_is_another_one(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        limits = "inactive_parts_to_throw_insert = 7, parts_to_throw_insert = 60"
        insert(embedded, unmerged(embedded, (db, "t"), limits), 6)
        assert values(run(address_of(embedded), PANEL))[(PRESSURE, db, "t")] == pytest.approx(0.1)


def test_delayed_and_refused_inserts_are_counted(server: Server, watched: Watch) -> None:
    before = visit(watched)
    assert DELAYED in before, "a counter is there before its first event"
    assert REJECTED in before
    with database(server) as db:
        limits = "parts_to_delay_insert = 3, parts_to_throw_insert = 5, max_delay_to_insert = 1"
        quoted = unmerged(server, (db, "t"), limits)
        insert(server, quoted, 5)
        with pytest.raises(Exception, match="Too many parts"):
            insert(server, quoted)
        after = visit(watched, tier2_due=False)
        assert after[DELAYED] > before[DELAYED]
        assert after[REJECTED] > before[REJECTED]
        assert after[(PRESSURE, db, "t")] == 1, "found at once, without waiting for tier 2"


def test_18_counts_in_tier_2_only_while_all_is_calm(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    watch = watching(address_of(server))
    try:
        with database(server) as db:
            quoted = unmerged(server, (db, "t"), "parts_to_throw_insert = 20")
            insert(server, quoted, 4)
            assert visit(watch)[(PARTS, db, "t")] == 4
            insert(server, quoted, 4)
            assert visit(watch, tier2_due=False)[(PARTS, db, "t")] == 4
            assert visit(watch, tier2_due=True)[(PARTS, db, "t")] == 8
    finally:
        watch.close()


def test_a_changed_limit_is_seen_in_the_next_collection(embedded: EmbeddedServer) -> None:
    watch = watching(address_of(embedded))
    try:
        with database(embedded) as db:
            quoted = unmerged(embedded, (db, "t"), "parts_to_throw_insert = 10")
            insert(embedded, quoted, 5)
            embedded.execute("SYSTEM FLUSH LOGS")  # which makes the tables of the logs
            assert visit(watch)[(PRESSURE, db, "t")] == 0.5
            changed_at = "SELECT max(metadata_modification_time) = now() FROM system.tables"
            while embedded.execute(changed_at) == [[1]]:
                time.sleep(0.1)  # the time of a table's file is in whole seconds
            embedded.execute(f"ALTER TABLE {quoted} MODIFY SETTING parts_to_throw_insert = 50")
            assert visit(watch)[(PRESSURE, db, "t")] == pytest.approx(0.1)
    finally:
        watch.close()


def test_limits_are_read_again_only_when_a_table_changed(embedded: EmbeddedServer) -> None:
    embedded.execute("SYSTEM FLUSH LOGS")  # which makes the tables of the logs
    watch = watching(address_of(embedded))
    try:
        first = collect(watch, Plan([PANEL]), CLOCK).runs[0].queries
        second = collect(watch, Plan([PANEL]), CLOCK).runs[0].queries
        assert (first, second) == (6, 3)
    finally:
        watch.close()


def test_0_switches_the_delay_off(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        limits = "parts_to_throw_insert = 10, parts_to_delay_insert = 0"
        insert(embedded, unmerged(embedded, (db, "t"), limits), 6)
        sampled = values(run(address_of(embedded), PANEL))
        assert sampled[(DELAY_PRESSURE, db, "t")] == 0
        assert sampled[(PRESSURE, db, "t")] == pytest.approx(0.6)


def test_with_a_limit_of_0_every_insert_is_refused(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = unmerged(embedded, (db, "t"), "parts_to_delay_insert = 10")
        insert(embedded, quoted, 2)
        embedded.execute(f"ALTER TABLE {quoted} MODIFY SETTING parts_to_throw_insert = 0")
        with pytest.raises(Exception, match="Too many parts"):
            insert(embedded, quoted)
        assert values(run(address_of(embedded), PANEL))[(PRESSURE, db, "t")] == 1


def test_limits_do_not_apply_to_partitions_of_large_parts(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        limits = "parts_to_throw_insert = 10, max_avg_part_size_for_too_many_parts = 1"
        quoted = unmerged(embedded, (db, "large"), limits)
        insert(embedded, quoted, 12)
        off = "parts_to_throw_insert = 20, max_avg_part_size_for_too_many_parts = 0"
        insert(embedded, unmerged(embedded, (db, "off"), off), 12)
        sampled = values(run(address_of(embedded), PANEL))
        assert sampled[(PRESSURE, db, "large")] == 0, "the server took 12 parts with a limit of 10"
        assert sampled[("clickhouse_table_parts_max_per_partition", db, "large")] == 12
        assert sampled[(PRESSURE, db, "off")] == pytest.approx(0.6)


def test_a_calm_table_is_only_in_the_totals(server: Server) -> None:
    with database(server) as db:
        before = values(run(address_of(server), PANEL))
        insert(server, make_table(server, (db, "t")))
        after = values(run(address_of(server), PANEL))
        assert (PARTS, db, "t") not in after
        assert after[("clickhouse_tables",)] == before[("clickhouse_tables",)] + 1


def test_tables_inside_of_views_have_the_name_of_the_view(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db:
        source = make_table(embedded, (db, "source"), "parts_to_throw_insert = 1000")
        embedded.execute(
            f"CREATE MATERIALIZED VIEW {ident(db, HOSTILE)} ENGINE = MergeTree ORDER BY a "
            f"SETTINGS parts_to_throw_insert = 10 AS SELECT a FROM {source}"
        )
        sql = f"SELECT name FROM system.tables WHERE database = {literal(db)} AND name LIKE '.inner%'"
        inner = embedded.execute(sql)[0][0]
        embedded.execute(f"SYSTEM STOP MERGES {ident(db, inner)}")
        insert(embedded, source, 6)
        sampled = values(run(address_of(embedded), PANEL))
        assert sampled[(PRESSURE, db, HOSTILE)] == pytest.approx(0.6)
        assert (PRESSURE, db, inner) not in sampled


def test_databases_of_remote_engines_are_not_asked(embedded: EmbeddedServer) -> None:
    name = "remote_of_parts"
    with ClosingPeer() as postgres:
        where = f"'127.0.0.1:{postgres.port}', 'd', 'u', 'p'"
        embedded.execute(f"CREATE DATABASE {name} ENGINE = PostgreSQL({where})")
        try:
            wait_until(lambda: postgres.accepted == 2, 30, "the server has tried twice by itself")
            found = visiting(address_of(embedded), PANEL, compression.PANEL)
            assert [run.status for run in found.runs] == [Status.OK, Status.OK]
            assert postgres.accepted == 2
            embedded.execute("SELECT count() FROM system.tables WHERE engine LIKE '%MergeTree'")
            assert postgres.accepted > 2, "without the condition the server asks there"
        finally:
            embedded.execute(f"DROP DATABASE {name}")


def test_replicated_tables_have_limits_of_their_own(own_embedded: Callable[..., EmbeddedServer]) -> None:
    # The embedded engine has no port for other replicas: its replicated tables take no inserts.
    server = own_embedded(
        fragment="<merge_tree><parts_to_throw_insert>40</parts_to_throw_insert></merge_tree>"
        "<replicated_merge_tree><parts_to_throw_insert>20</parts_to_throw_insert></replicated_merge_tree>"
    )
    watch = watching(address_of(server))
    try:
        with database(server) as db:
            quoted = unmerged(server, (db, "plain"), "")
            insert(server, quoted, 20)
            assert visit(watch)[(PRESSURE, db, "plain")] == pytest.approx(0.5)
        limits = watch.memory["parts"]["limits"]
        assert limits.of(("any", "t"), replicated=False).throw == 40
        assert limits.of(("any", "t"), replicated=True).throw == 20
    finally:
        watch.close()


def test_replicated_tables_are_recognised_by_their_parts(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    watch = watching(address_of(server))
    try:
        with database(server) as db:
            server.execute(
                f"CREATE TABLE {db}.r (a Int32, s String) ENGINE = ReplicatedMergeTree('/parts/{db}', 'r') "
                "ORDER BY a SETTINGS parts_to_throw_insert = 8"
            )
            insert(server, unmerged(server, (db, "plain"), "parts_to_throw_insert = 8"), 2)
            insert(server, f"{db}.r")
            visit(watch)
            counted = {(c.database, c.table): c for c in watch.memory["parts"]["counted"]}
            assert counted[db, "r"].is_replicated == 1
            assert counted[db, "plain"].is_replicated == 0
    finally:
        watch.close()


def counters_with(fullest: float | None) -> Counters:
    return Counters([] if fullest is None else [Counter("async", part_counts.FULLEST, fullest)])


@dataclasses.dataclass
class Calm:
    """What _count_is_due needs of a Context: tier 1, and a count of earlier."""

    memory: dict[str, Any]
    tier2_due: bool = False


@pytest.mark.parametrize(
    ("before", "now", "own", "due"),
    [
        (10.0, 20.0, {}, False),
        (10.0, 75.0, {}, True),
        (80.0, 80.0, {}, False),
        (None, 80.0, {}, True),
        (10.0, None, {}, False),
        (10.0, 20.0, {("d", "t"): {THROW: 30}}, True),
    ],
)
def test_the_fullest_partition_of_the_server_triggers_a_count(
    before: float | None, now: float | None, own: dict[Any, Any], due: bool
) -> None:
    limits = AllLimits(plain={THROW: 300, DELAY: 150}, replicated={THROW: 300, DELAY: 150}, own=own)
    context: Any = Calm({"counted": [], "fullest": before})
    assert part_counts._count_is_due(context, counters_with(now), limits, rising=False) is due
    assert part_counts._count_is_due(context, counters_with(now), limits, rising=True) is True


def test_very_many_low_limits_lower_the_mark_instead_of_growing_the_statement() -> None:
    own = {("d", f"t{n}"): {THROW: 20 + n % 100} for n in range(1000)}
    defaults = {THROW: 3000, DELAY: 1000, TOTAL: 100_000, LARGE: 2**30}
    least, near = part_counts._near(AllLimits(defaults, defaults, own))
    assert len(near) == part_counts.MOST_NEAR
    assert least == 25, "the 301st has a limit of 50"
    assert near[0] == ("d", "t0")


def samples_of(*rows: Row | Totals) -> list[Sample]:
    return list(parts.samples(rows))


def test_what_is_not_known_has_no_series() -> None:
    row = Row("d", "t", 10, 1, 10, "p", 10, throw_limit=None, delay_limit=0, total_limit=None)
    totals = Totals(1, 10, None, None, 0.0, None, 0, 0)
    names = {sample.metric.name: sample.value for sample in samples_of(row, totals)}
    assert PRESSURE not in names
    assert TOTAL_PRESSURE not in names
    assert names[DELAY_PRESSURE] == 0
    assert "clickhouse_parts_max_pressure_ratio" not in names
    assert PANEL.payload([row, totals])[0]["pressure_pct"] is None

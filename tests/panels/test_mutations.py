"""Mutations that fail, stand still or just run, on both ends of the version range."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clustersight.collect import collect
from clustersight.collection import Clock, PanelRun, Plan
from clustersight.panels import mutations
from clustersight.panels.mutation_fix import fix_command
from clustersight.panels.mutation_progress import follow
from clustersight.panels.mutations import PANEL, Row
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, Server, address_of, database, insert, make_table
from tests.panels.visiting import run, run_until, values, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

FAILS = "DELETE WHERE s = 'private' AND intDiv(1, a) = 1"


def of_table(panel_run: PanelRun, name: tuple[str, str]) -> dict[str, float]:
    return {key[0]: value for key, value in values(panel_run).items() if key[1:] == name}


def has_failed(name: tuple[str, str]) -> Callable[[PanelRun], bool]:
    return lambda r: of_table(r, name).get("clickhouse_mutations_failing", 0) > 0


def failing_mutation(server: Server, name: tuple[str, str]) -> PanelRun:
    quoted = make_table(server, name)
    insert(server, quoted, select="0, 'private'")
    server.execute(f"ALTER TABLE {quoted} {FAILS}", mutations_sync=0)
    return run_until(address_of(server), PANEL, has_failed(name))


def test_a_failing_mutation_is_told_with_its_reason(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        found = failing_mutation(embedded, (db, "t"))
        sampled = of_table(found, (db, "t"))
        assert sampled["clickhouse_mutations_active"] == 1
        assert sampled["clickhouse_mutations_failing"] == 1
        assert sampled["clickhouse_mutations_stuck"] == 0
        assert 0 <= sampled["clickhouse_mutation_oldest_age_seconds"] < 600
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert row["is_failing"] is True
        assert row["parts_to_do"] == 1
        assert row["parts_done_pct"] == 0
        assert "Division by zero" in row["latest_fail_reason"]
        assert row["latest_failed_part"] == "202001_1_1_0"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["created_at"])
        assert values(found)[("clickhouse_mutations_unfinished_failing",)] >= 1


def test_customers_values_are_left_out(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        found = failing_mutation(embedded, (db, "t"))
        assert "DELETE WHERE (s = '?')" in str(PANEL.payload(found.rows))
        assert "private" not in str(found.rows)


def test_what_a_mutation_was_to_say_is_left_out(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = make_table(embedded, (db, "t"))
        insert(embedded, quoted)
        update = "UPDATE s = if(throwIf(1, 'private: customer 55512345'), 'private', s) WHERE 1"
        embedded.execute(f"ALTER TABLE {quoted} {update}", mutations_sync=0)
        found = run_until(address_of(embedded), PANEL, has_failed((db, "t")))
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert row["latest_fail_reason"] == "Code: 395. (the query's own text)"
        assert "private" not in str(found.rows)


def test_the_fix_ends_the_mutation_of_a_table_with_a_hostile_name(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db:
        name = (db, HOSTILE)
        found = failing_mutation(embedded, name)
        worst = PANEL.row_of(found.rows, {"database": db, "table": HOSTILE})
        assert worst is not None
        assert worst.is_failing
        embedded.execute(worst.fix_command)
        assert not of_table(run(address_of(embedded), PANEL), name)


def test_a_finished_mutation_is_absent(embedded: EmbeddedServer) -> None:
    with database(embedded) as db:
        quoted = make_table(embedded, (db, "t"))
        insert(embedded, quoted)
        embedded.execute(f"ALTER TABLE {quoted} DELETE WHERE a = 7", mutations_sync=1)
        found = run(address_of(embedded), PANEL)
        assert found.status is Status.OK
        assert not of_table(found, (db, "t"))
        assert ("clickhouse_mutations_unfinished",) in values(found)


# Nobody sees the end of this one: a second for each of its numbers.
ENDLESS = (
    "DELETE WHERE a IN (SELECT 7 + toInt32(sleepEachRow(1)) FROM numbers(100000) SETTINGS max_block_size = 1)"
)


def old_mutation(server: EmbeddedServer, name: tuple[str, str], age_seconds: int) -> None:
    """A mutation that gets nowhere, made to look as old as said: its file says when it was made."""
    quoted = make_table(server, name)
    insert(server, quoted, 3)
    server.execute(f"SYSTEM STOP MERGES {quoted}")
    server.execute(f"ALTER TABLE {quoted} {ENDLESS}", mutations_sync=0, allow_nondeterministic_mutations=1)
    sql = f"SELECT data_paths[1] FROM system.tables WHERE database = '{name[0]}' AND name = '{name[1]}'"
    folder = Path(server.execute(sql)[0][0])
    server.execute(f"DETACH TABLE {quoted}")
    file = next(folder.glob("mutation_*.txt"))
    made = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age_seconds))
    file.write_text(re.sub(r"create time: .*", f"create time: {made}", file.read_text()))
    server.execute(f"ATTACH TABLE {quoted}")


def test_an_old_mutation_that_does_not_move_is_stuck_after_15_minutes(
    own_embedded: Callable[[], EmbeddedServer],
) -> None:
    server = own_embedded()
    server.execute("CREATE DATABASE old")
    old_mutation(server, ("old", "t"), 2000)
    old_mutation(server, ("old", "young"), 60)
    watch = watching(address_of(server))
    now = [1000.0]
    clock = Clock(time.time, lambda: now[0])

    def stuck() -> float:
        found = collect(watch, Plan([PANEL]), clock).runs[0]
        return of_table(found, ("old", "t"))["clickhouse_mutations_stuck"]

    try:
        assert stuck() == 0, "seen for the first time: nobody knows whether it moves"
        now[0] += 890
        assert stuck() == 0
        now[0] += 20
        assert stuck() == 1
        found = collect(watch, Plan([PANEL]), clock).runs[0]
        assert of_table(found, ("old", "young"))["clickhouse_mutations_stuck"] == 0
        assert values(found)[("clickhouse_mutations_unfinished_stuck",)] == 1
        row = PANEL.payload(found.rows)[0]
        assert row["is_stuck"] is True
        assert row["is_failing"] is False
        assert row["age_seconds"] >= 2000
        assert row["fix_command"].endswith("AND mutation_id = 'mutation_4.txt'")
    finally:
        watch.close()


def test_18_tells_unfinished_mutations_but_not_failing_ones(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    with database(server, HOSTILE) as db:
        name = (db, HOSTILE)
        quoted = make_table(server, name)
        insert(server, quoted, select="0, 'private'")
        server.execute(f"ALTER TABLE {quoted} {FAILS}")
        found = run_until(
            address_of(server), PANEL, lambda r: "clickhouse_mutations_active" in of_table(r, name)
        )
        sampled = of_table(found, name)
        assert sampled["clickhouse_mutations_active"] == 1
        assert "clickhouse_mutations_failing" not in sampled
        assert ("clickhouse_mutations_unfinished_failing",) not in values(found)
        row = next(row for row in PANEL.payload(found.rows) if row["database"] == db)
        assert (row["is_failing"], row["latest_fail_reason"], row["fix_command"]) == (None, "", None)
        assert row["command"].startswith("DELETE WHERE (s = '?')")


@pytest.mark.parametrize("command", ["MODIFY COLUMN `a` String", "(DROP COLUMN a)", " RENAME COLUMN a TO b"])
def test_a_change_of_columns_is_never_killed(command: str) -> None:
    assert fix_command(("d", "t", "m"), command, failing=True, stuck=False) is None
    assert fix_command(("d", "t", "m"), "DELETE WHERE a", failing=True, stuck=False) is not None


def test_a_healthy_mutation_needs_no_fix() -> None:
    assert fix_command(("d", "t", "m"), "DELETE WHERE a", failing=False, stuck=False) is None


def test_the_fix_is_one_statement_after_its_warnings() -> None:
    fix = fix_command(("d\nDROP TABLE x", "t", "m"), "DELETE WHERE a", failing=False, stuck=True)
    assert fix is not None
    assert [line[:2] for line in fix.splitlines()] == ["--", "--", "KI"]


def test_every_table_has_one_series() -> None:
    rows = [Row("d", "a", 2, 1, 5, 60, ()), Row("d", "b", 1, 0, 5, 60, ())]
    sampled = list(mutations.samples(rows))
    assert len({(s.metric.name, s.labels) for s in sampled}) == len(sampled)


@dataclass
class Memory:
    """What follow() needs of a Context."""

    monotonic: float
    memory: dict[str, Any]


def test_a_mutation_that_gets_parts_done_is_not_still() -> None:
    memory: dict[str, Any] = {}
    name = ("d", "t", "m")
    seen = [
        follow(Memory(at, memory), {name: parts})[name]  # type: ignore[arg-type]
        for at, parts in ((0, 10), (800, 10), (1000, 9), (1500, 9), (1950, 9), (2000, 12), (2100, 10))
    ]
    assert [progress.still_seconds for progress in seen] == [0, 800, 0, 500, 950, 1000, 1100]
    assert [progress.done_pct for progress in seen] == [0, 0, 10, 10, 10, 0, 16.67]
    assert follow(Memory(2200, memory), {}) == {}  # type: ignore[arg-type]
    assert memory == {"seen": {}}, "what is finished is forgotten"

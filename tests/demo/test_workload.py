"""The demo's workload on a real server: always the same state, always bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from clustersight.demo.steps import LATER, MAX_EVENTS, PRESSED_PARTS, ROUTINE, SETUP
from clustersight.demo.workload import StepError, Workload, in_literal
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until

MOST_BYTES = 200e6
ROWS = "SELECT name, total_rows FROM system.tables WHERE database = 'demo' AND name != 'events' ORDER BY name"
STATE = {
    # A view's table behind it has a name of its own each time.
    "tables": "SELECT name, engine, total_rows FROM system.tables"
    " WHERE database = 'demo' AND NOT startsWith(name, '.') ORDER BY name",
    "detached": "SELECT table, name, reason FROM system.detached_parts ORDER BY ALL",
    "mutations": "SELECT table, command, is_done FROM system.mutations ORDER BY ALL",
    "parts": "SELECT count() FROM system.parts WHERE active AND table = 'pressed'",
}


@pytest.fixture
def server(own_embedded: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    return own_embedded()


def workload_of(server: EmbeddedServer, **options: object) -> Workload:
    return Workload(server.url, server.folder / "engine" / "data", **options)  # type: ignore[arg-type]


def state(server: EmbeddedServer) -> dict[str, list[list[object]]]:
    return {name: server.execute(sql) for name, sql in STATE.items()}


def test_set_up_twice_gives_the_same_state(server: EmbeddedServer) -> None:
    workload = workload_of(server)
    workload.set_up()
    first = state(server)
    assert first["detached"] == [
        ["archive", "20260101_1_1_0", ""],
        ["invoices", "broken-on-start_all_1_1_0", "broken-on-start"],
    ]
    assert first["parts"] == [[PRESSED_PARTS]]
    assert [row[::2] for row in first["mutations"]] == [["customers", 0]]
    workload.run_once("insert events")
    workload.set_up()
    assert state(server) == first


def test_old_events_go_and_nothing_else_grows(server: EmbeddedServer) -> None:
    workload = workload_of(server)
    workload.set_up()
    server.execute(
        "INSERT INTO demo.events SELECT now() - INTERVAL 2 HOUR, 1, 'old', 0 FROM numbers(1000)",
        optimize_on_insert=0,
    )
    before = server.execute(ROWS)
    for step in ROUTINE:
        if step.sql.startswith("INSERT"):
            workload.run_once(step.name)
    assert server.execute(ROWS) == before
    old = "SELECT count() FROM demo.events WHERE kind = 'old'"
    wait_until(lambda: server.execute(old) == [[0]], 60, "the old events are gone")
    bytes_a_row = "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active AND table = 'events'"
    # Twice: parts stay for a minute after a merge has replaced them.
    assert 2 * MAX_EVENTS * server.execute(bytes_a_row)[0][0] < MOST_BYTES


def test_every_statement_that_adds_rows_is_an_insert() -> None:
    """Else the test above would not see it."""
    verbs = {step.sql.split()[0] for step in ROUTINE}
    assert verbs == {"INSERT", "SELECT", "ALTER"}
    assert all(" UPDATE " in step.sql for step in ROUTINE if step.sql.startswith("ALTER"))


def test_a_step_that_works_and_should_fail_is_an_error(server: EmbeddedServer) -> None:
    workload = workload_of(server)
    workload.set_up()
    workload.run_once("missing table")
    server.execute("CREATE TABLE demo.no_such_table (a UInt8) ENGINE = Memory")
    with pytest.raises(StepError, match="missing table: worked, and should have failed"):
        workload.run_once("missing table")


def test_the_routine_complains_once_a_step(server: EmbeddedServer) -> None:
    said: list[str] = []
    others = {step.name for step in ROUTINE} - {"read events"}
    workload = workload_of(server, skip=others, complain=said.append)
    workload.start()  # without set_up() there is no table to read
    wait_until(lambda: said, 20, "the routine complains")
    runs = (
        "SELECT count() FROM system.query_log"
        " WHERE type = 'ExceptionBeforeStart' AND startsWith(query, 'SELECT count() FROM demo.events')"
    )
    wait_until(lambda: server.execute(runs)[0][0] >= 2, 20, "the step has run again")
    workload.stop()
    assert len(said) == 1
    assert said[0].startswith("read events: Code: 81.")


def test_a_part_breaks_only_when_it_is_time(server: EmbeddedServer) -> None:
    said: list[str] = []
    workload = workload_of(server, complain=said.append)
    workload.set_up()
    broken = "SELECT reason FROM system.detached_parts WHERE table = 'receipts'"
    asked: list[bool] = []
    is_time = threading.Event()

    def look() -> bool:
        asked.append(True)
        return is_time.is_set()

    workload.break_later(look)
    wait_until(lambda: asked, 20, "it is looked")
    assert server.execute(broken) == []
    is_time.set()
    wait_until(lambda: server.execute(broken) == [["broken-on-start"]], 20, "the part is set aside")
    assert said == []
    workload.break_later(lambda: True)
    wait_until(lambda: said, 20, "a second time fails, and is told")
    assert said[0].startswith("create receipts: Code: 57.")


def test_skipped_steps_are_left_out() -> None:
    names = {step.name for step in (*SETUP, *LATER, *ROUTINE)}
    assert len(names) == len(SETUP) + len(LATER) + len(ROUTINE)


def test_quotes_in_the_folder() -> None:
    assert in_literal("/o'brien\\x") == "/o\\'brien\\\\x"

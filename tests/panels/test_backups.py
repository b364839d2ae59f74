"""Backups that succeed and fail on a real server, and what a restart of it leaves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan, Watch
from clustersight.panels.backups import PANEL, Row, remembered
from clustersight.panels.panel import Status
from tests.panels.visiting import CLOCK, run, run_until, values, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

SUCCEEDED = ("clickhouse_backup_last_success_timestamp_seconds",)
FAILED_AT = ("clickhouse_backup_last_failure_timestamp_seconds",)
FAILED = ("clickhouse_backups_failed",)
RUNNING = ("clickhouse_backups_running",)
SECRET = "customer 555-1234"


def address(server: EmbeddedServer) -> Address:
    return Address("127.0.0.1", server.port, Wire.HTTP)


def now(server: EmbeddedServer) -> float:
    [[seconds]] = server.execute("SELECT toFloat64(now64(6))")
    return float(seconds)


def fail(server: EmbeddedServer) -> None:
    with pytest.raises(EmbeddedError):
        server.execute(f"BACKUP TABLE kept.orders TO File('/{SECRET}')")


def run_with(watch: Watch) -> PanelRun:
    """One visit that remembers those before it, as the exporter's do."""
    return collect(watch, Plan((PANEL,)), CLOCK).runs[0]


@pytest.fixture
def server(own_embedded: Callable[..., EmbeddedServer]) -> EmbeddedServer:
    """Nobody else's backups are in it, and it may be started again."""
    server = own_embedded()
    server.execute("CREATE DATABASE kept ENGINE = Atomic")
    server.execute("CREATE TABLE kept.orders (id UInt64) ENGINE = MergeTree ORDER BY id")
    return server


def test_the_life_of_backups(server: EmbeddedServer) -> None:
    nothing = run(address(server), PANEL)
    assert nothing.status is Status.OK, nothing.error
    assert values(nothing) == {FAILED: 0, RUNNING: 0}
    assert PANEL.payload(nothing.rows)[0]["succeeded_at"] is None

    began = now(server)
    server.execute("BACKUP TABLE kept.orders TO Null")
    made = values(run(address(server), PANEL))
    assert began <= made[SUCCEEDED] <= now(server)
    assert made[FAILED] == 0

    fail(server)
    fail(server)
    failing = run(address(server), PANEL)
    assert values(failing)[FAILED] == 2
    assert made[SUCCEEDED] == values(failing)[SUCCEEDED] < values(failing)[FAILED_AT]
    [row] = PANEL.payload(failing.rows)
    assert "Code: 36." in row["last_error"]
    assert SECRET not in str(row)
    assert "Stack trace" not in row["last_error"]

    # The log has them twice by now, and is counted beside system.backups.
    server.execute("SYSTEM FLUSH LOGS")
    assert values(run(address(server), PANEL))[FAILED] == 2

    server.execute("BACKUP TABLE kept.orders TO Null")
    healed = values(run(address(server), PANEL))
    assert healed[FAILED] == 0
    assert healed[SUCCEEDED] > healed[FAILED_AT]


def test_a_failure_is_known_until_a_success_also_over_a_restart(server: EmbeddedServer) -> None:
    watch = watching(address(server))
    with contextlib.closing(watch):
        server.execute("BACKUP TABLE kept.orders TO Null")
        fail(server)
        before = run_with(watch)
        # 26.9 as an engine has its logs in memory too.
        server.restart()
        assert values(run(address(server), PANEL)) == {FAILED: 0, RUNNING: 0}
        after = run_with(watch)
        server.execute("BACKUP TABLE kept.orders TO Null")
        healed = run_with(watch)
    assert values(before)[FAILED] == 1
    assert values(after) == values(before)
    assert PANEL.payload(after.rows) == PANEL.payload(before.rows)
    assert values(healed)[FAILED] == 0
    assert values(healed)[SUCCEEDED] > values(before)[FAILED_AT]


def test_what_only_the_log_knows(server: EmbeddedServer) -> None:
    """As after a restart, which empties system.backups alone."""
    server.execute("BACKUP TABLE kept.orders TO Null")
    server.execute("SYSTEM FLUSH LOGS")
    made = values(run(address(server), PANEL))
    for later, state in ((60, "BACKUP_FAILED"), (30, "BACKUP_CANCELLED"), (90, "RESTORE_FAILED")):
        server.execute(
            "INSERT INTO system.backup_log (event_date, id, status, end_time)"
            f" SELECT event_date, '{state}', '{state}', end_time + {later}"
            " FROM system.backup_log AS l WHERE l.status = 'BACKUP_CREATED'"
        )
    found = values(run(address(server), PANEL))
    assert found[FAILED] == 2
    assert found[SUCCEEDED] == made[SUCCEEDED]
    assert found[FAILED_AT] == pytest.approx(made[SUCCEEDED] + 60)


def test_a_failure_is_over_after_two_weeks_also_where_no_backup_ever_succeeds(
    embedded: EmbeddedServer,
) -> None:
    """As one that somebody tried once, on a node that makes none."""
    asked_at = now(embedded)
    forgotten = Row(0.0, 0.0, 0, 0, "", asked_at)
    for age, failed in ((13 * 86_400, 1), (15 * 86_400, 0)):
        known = Row(0.0, asked_at - age, 1, 0, "no room", asked_at - age)
        assert remembered(forgotten, [known]).failed == failed
    assert run(address(embedded), PANEL).rows[0].asked_at == pytest.approx(asked_at, abs=60)


def test_one_that_runs(embedded: EmbeddedServer) -> None:
    embedded.execute("CREATE DATABASE slow ENGINE = Atomic")
    try:
        embedded.execute("CREATE TABLE slow.orders (id UInt64) ENGINE = MergeTree ORDER BY id")
        embedded.execute("INSERT INTO slow.orders SELECT rand64() FROM numbers(20000)")
        place = embedded.folder / "engine" / "backups" / "slow"
        slowly = "ASYNC SETTINGS max_backup_bandwidth = 100000"
        embedded.execute(f"BACKUP TABLE slow.orders TO File('{place}') {slowly}")
        running = values(run(address(embedded), PANEL))
        ended = values(run_until(address(embedded), PANEL, lambda found: not values(found)[RUNNING]))
    finally:
        embedded.execute("DROP DATABASE slow")
    assert running[RUNNING] == 1
    assert ended[RUNNING] == 0
    assert ended[SUCCEEDED] > running.get(SUCCEEDED, 0)


def test_an_old_server_has_none(replicas: list[ClickHouse18]) -> None:
    found = run(Address("127.0.0.1", replicas[0].port, Wire.NATIVE), PANEL)
    assert found.status is Status.UNSUPPORTED
    assert "system.backups" in found.error

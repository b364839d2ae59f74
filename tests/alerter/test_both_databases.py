"""The outbox on SQLite and on PostgreSQL: many rows at once, what replaces what, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.store import alert_retention, channels
from clustersight.store.database import Database
from tests.alerter.harness import Make, disk, harnesses, one_rule, slack
from tests.alerter.test_delivery import ended, silence
from tests.servers.process import wait_until
from tests.servers.slack import INVALID_PAYLOAD, ROLLUP_ERROR, SlackStub, rate_limited


@pytest.fixture
def make(tmp_path: Path, database: Database) -> Iterator[Make]:
    yield from harnesses(tmp_path, database)


def test_five_hundred_alerts_fire_and_end(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    names = [f"disk{n}" for n in range(500)]
    harness.tick(disk(*((name, 90.0) for name in names)))

    def gone(number: int) -> bool:
        harness.idle(2)
        return sum(row.state == "delivered" for row in harness.rows()) == number

    wait_until(lambda: gone(500), 60, "all are delivered")
    harness.tick(disk())
    wait_until(lambda: gone(1000), 60, "and their ends")
    assert {a.status for a in harness.alerts()} == {"resolved"}
    told = str(stub.delivered)
    assert [name for name in names if told.count(f"{name}`") + told.count(f"{name} ") < 1] == []


def test_a_message_that_waits_is_replaced_by_one_that_says_both(make: Make, stub: SlackStub) -> None:
    stub.script(rate_limited(15))
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the first try was refused")
    harness.tick(disk())
    harness.until(ended(harness, 2), "both have ended")
    first, last = harness.rows()
    assert (first.state, first.superseded_by, last.state) == ("superseded", last.id, "delivered")


def test_what_is_silenced_is_withdrawn_and_what_is_refused_is_dead(make: Make, stub: SlackStub) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0), ("b", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "they wait")
    silence(harness, 60, disk="a")
    harness.tick(disk(("a", 90.0), ("b", 90.0)))
    assert {row.message["labels"]["disk"]: row.state for row in harness.rows()} == {
        "a": "superseded",
        "b": "pending",
    }
    stub.default = INVALID_PAYLOAD
    harness.until(lambda: "dead" in {row.state for row in harness.rows()}, "given up")
    with harness.database.read() as db:
        assert channels.every(db)["slack"].last_error
    for _ in alert_retention.expire(harness.database, harness.clock.wall + 1):
        pass
    assert len(harness.alerts()) == 2


def test_a_kill_leaves_everything_as_it_was(make: Make, stub: SlackStub) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(**{"for": "30s"}), channels=(slack(stub),))
    harness.cluster()
    for _ in range(4):
        harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "it waits")
    harness.kill()
    harness.start()
    harness.tick(disk(("a", 90.0), ("b", 90.0)))
    assert [row.kind for row in harness.rows()] == ["firing"]
    assert len(harness.alerts()) == 1

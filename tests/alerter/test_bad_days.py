"""Bad days: Slack slow or rude, the store locked or full, hostile names."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.alerter.harness import Harness, Make, Sample, disk, one_rule, rules, slack
from tests.alerter.test_delivery import settle, texts
from tests.servers.process import wait_until
from tests.servers.slack import NO_SERVICE, ROLLUP_ERROR, Answer, Fault, SlackStub, rate_limited


def test_evaluation_goes_on_while_slack_hangs(make: Make, stub: SlackStub) -> None:
    stub.script(Answer(fault=Fault.HANG))
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    stub.wait_for(lambda got: len(got) == 1)
    for n in range(20):
        harness.tick(disk(("default", 90.0), (f"disk{n}", 95.0)))
    assert harness.working.timetable.missed == 0
    assert len(harness.alerts()) == 21
    stub.release()


@pytest.mark.parametrize(
    "answer",
    [ROLLUP_ERROR, Answer(fault=Fault.DROP), rate_limited(1), rate_limited(None)],
    ids=["500", "dropped", "429", "429 without a time"],
)
def test_what_did_not_go_through_goes_later(make: Make, stub: SlackStub, answer: Answer) -> None:
    stub.script(answer)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the try was noted")
    assert harness.rows()[0].last_error
    harness.idle(40)
    settle(harness, 1)
    assert harness.kinds() == [("firing", "delivered")]


def test_after_a_429_the_channel_is_left_alone_for_as_long_as_it_asked_and_no_longer(
    make: Make, stub: SlackStub
) -> None:
    stub.script(rate_limited(30))
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the try was noted")
    harness.tick(disk(("default", 90.0), ("other", 99.0)))
    harness.idle(19)
    quiet(stub, 1)
    harness.idle(1.5)
    settle(harness, 2)


def quiet(stub: SlackStub, number: int) -> None:
    """Nothing more comes, as long as several polls of a sender take."""
    with pytest.raises(AssertionError):
        stub.wait_for(lambda got: len(got) > number, 1.5)


def test_a_pause_that_slack_asked_for_holds_over_a_restart(make: Make, stub: SlackStub) -> None:
    stub.script(rate_limited(60))
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the try was noted")
    harness.kill()
    harness.start()
    harness.tick(disk(("default", 90.0)))
    quiet(stub, 1)
    harness.idle(60)
    settle(harness, 1)


def test_a_channel_that_needs_repair_is_probed_seldom_and_then_everything_goes(
    make: Make, stub: SlackStub
) -> None:
    stub.script(NO_SERVICE)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the try was noted")
    assert harness.working.status.channels() == {"slack": False}
    harness.idle(280)
    quiet(stub, 1)
    harness.idle(25)
    settle(harness, 1)
    assert harness.working.status.channels() == {"slack": True}


def test_what_cannot_be_delivered_for_too_long_is_dead_with_the_reason(make: Make, stub: SlackStub) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(), channels=(slack(stub),), max_age="1h")
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the try was noted")
    harness.idle(3700)
    wait_until(lambda: harness.rows()[0].state == "dead", 10, "it is given up")
    assert "within 1 h" in harness.rows()[0].last_error


def test_a_thousand_alerts_at_once_are_some_tens_of_messages_that_name_all(
    make: Make, stub: SlackStub
) -> None:
    base = {"metric_key": "disk.usage_pct", "operator": ">", "threshold": 85}
    many = [{"alert": f"Rule{n}", "match": {"disk": f"disk{n}x"}, **base} for n in range(1000)]
    harness = make(rules=rules(*many), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(*((f"disk{n}x", 90.0) for n in range(1000))))
    # The bucket is refilled by the test's clock.
    for _ in range(100):
        harness.clock.pass_(1)
        if all(row.state == "delivered" for row in harness.rows()):
            break
        threading.Event().wait(0.1)
    settle(harness, 1000)
    told = "".join(texts(stub))
    assert [n for n in range(1000) if f"Rule{n}" not in told] == []
    assert len(stub.delivered) <= 60


HOSTILE = "<!channel> `DROP` & '\\\n--"


def test_a_table_with_a_hostile_name_pages_nobody_and_its_fix_is_safe(make: Make, stub: SlackStub) -> None:
    rule = {
        "alert": "Stuck",
        "metric_key": "mutations.failing",
        "operator": ">",
        "threshold": 0,
        "annotations": {"summary": "{{ $labels.table }} has {{ $value }}"},
        "fix": "KILL MUTATION WHERE table = {{ $row.table | literal }}",
    }
    harness = make(rules=rules(rule), channels=(slack(stub),))
    harness.cluster()
    rows = [{"host": "h1", "database": "db", "table": HOSTILE, "is_failing": True}]
    harness.tick(Sample("mutations", [("clickhouse_mutations_failing", ["db", HOSTILE], 1.0)], rows))
    settle(harness, 1)
    (alert,) = harness.alerts()
    assert alert.detail["labels"]["table"] == HOSTILE
    assert "\n" not in alert.detail["fix_command"]
    assert r"\'" in alert.detail["fix_command"]
    # The stub refuses an unescaped <! as well.
    assert "<!channel>" not in texts(stub)[0]


@contextmanager
def locked(harness: Harness) -> Iterator[None]:
    """Another process holds the database's write lock."""
    assert harness.database.file is not None
    other = sqlite3.connect(harness.database.file, timeout=1, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.mark.timeout(120)
def test_while_the_store_is_locked_nothing_is_lost(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 20.0)))
    harness.clock.pass_(10)
    harness.feed(disk(("default", 90.0)))
    with locked(harness):
        harness.alerter.working.tick()
        assert harness.alerts() == []
        assert "the store" in harness.working.status.not_ready()
    harness.alerter.working.tick()
    assert len(harness.alerts()) == 1
    settle(harness, 1)
    assert harness.working.status.not_ready() == ""


def test_a_full_store_loses_no_alert(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 20.0)))
    harness.clock.pass_(10)
    names = [f"disk{n}" for n in range(300)]
    harness.feed(disk(*((name, 90.0) for name in names)))
    with harness.database.begin() as db:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar()
    full = limit_pages(harness, int(pages or 0))
    harness.alerter.working.tick()
    assert harness.alerts() == []
    assert harness.working.status.store_error
    full.undo()
    harness.alerter.working.tick()
    assert len(harness.alerts()) == 300
    settle(harness, 300, 60)


class limit_pages:  # noqa: N801 - reads as a verb
    """As a full disk: the database may not grow. SQLite says "database or disk is full" for both."""

    def __init__(self, harness: Harness, pages: int) -> None:
        from sqlalchemy import event

        self._engine = harness.database._engine
        self._pages = pages
        self._event = event
        event.listen(self._engine, "begin", self._limit)

    def _limit(self, connection: object) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self._pages}")  # type: ignore[attr-defined]

    def undo(self) -> None:
        self._pages = 1_000_000_000

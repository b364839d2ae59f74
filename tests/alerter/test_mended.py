"""What a reviewer broke: lost answers, escalations beside what waits, channels that come and go, and time."""

from __future__ import annotations

import pytest

from clustersight.notify.notice import NoticeKind
from clustersight.store import alert_changes, outbox
from clustersight.store import rules as stored_rules
from clustersight.store.errors import Unavailable
from clustersight.store.outbox import NewRow
from tests.alerter.harness import Harness, Make, Sample, disk, one_rule, rules, slack
from tests.alerter.test_delivery import ended, settle, texts
from tests.servers.process import wait_until
from tests.servers.slack import NO_SERVICE, OK, ROLLUP_ERROR, SlackStub


def test_a_commit_whose_answer_is_lost_stops_nothing(
    make: Make, stub: SlackStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 10.0)))
    harness.clock.pass_(10)
    harness.feed(disk(("a", 90.0)))
    run = harness.working.engine.run

    def broken(*arguments: object) -> int:
        run(*arguments)
        monkeypatch.setattr(harness.working.engine, "run", run)
        harness.working.engine.book.alerts.clear()
        raise Unavailable("the connection broke")

    monkeypatch.setattr(harness.working.engine, "run", broken)
    harness.alerter.working.tick()
    assert harness.working.status.store_error
    harness.tick(disk(("a", 90.0)))
    harness.tick(disk(("a", 90.0), ("b", 90.0)))
    assert len(harness.alerts("active")) == 2
    assert not harness.working.status.store_error


def test_rules_that_could_not_be_stored_are_stored_with_the_next_turn(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    from alerter import loading

    real = loading.store

    def fails(*_: object) -> int:
        monkeypatch.setattr(loading, "store", real)
        raise Unavailable("not now")

    monkeypatch.setattr(loading, "store", fails)
    harness.alerter.working.tick()
    assert harness.working.engine.rules == {}
    assert harness.working.status.not_ready()
    harness.tick(disk(("a", 90.0)))
    assert len(harness.alerts("active")) == 1


def escalate(harness: Harness) -> int:
    """As the API does."""
    (alert,) = harness.alerts()
    with harness.database.begin() as db:
        waiting = outbox.of_alert(db, alert.id)[0].message
        notice = {**waiting, "kind": NoticeKind.ESCALATED.value}
        assert alert_changes.escalated(db, alert.id, harness.clock.wall)
        return outbox.put(db, [NewRow(alert.id, "slack", "escalated", alert.severity, notice)], 0.0)[0]


def row(harness: Harness, row_id: int) -> outbox.StoredRow:
    return next(one for one in harness.rows() if one.id == row_id)


def test_an_escalation_that_ends_leaves_what_waits_and_its_end_is_told(make: Make, stub: SlackStub) -> None:
    stub.default = NO_SERVICE
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the first try failed")
    asked = escalate(harness)
    wait_until(lambda: row(harness, asked).state == "dead", 10, "who asked is told at once")
    harness.tick(disk(("a", 10.0)))
    stub.default = OK
    harness.until(lambda: not any(one.state == "pending" for one in harness.rows()), "all has ended")
    assert [(one.kind, one.state) for one in harness.rows()] == [
        ("firing", "superseded"),
        ("escalated", "dead"),
        ("resolved", "delivered"),
    ]
    assert "RESOLVED" in texts(stub)[-1]


def test_after_an_escalation_nothing_comes_out_of_order(make: Make, stub: SlackStub) -> None:
    stub.script(ROLLUP_ERROR)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the first try failed")
    asked = escalate(harness)
    wait_until(lambda: row(harness, asked).state == "delivered", 10, "sent at once")
    with harness.database.begin() as db:
        (alert,) = harness.alerts()
        assert alert_changes.acknowledge(db, alert.id, "ann", harness.clock.wall)
    harness.alerter.working.tick()
    assert harness.rows()[0].state == "superseded"
    harness.tick(disk(("a", 10.0)))
    settle(harness, 3)
    assert [(one.kind, one.state) for one in harness.rows()] == [
        ("firing", "superseded"),
        ("escalated", "delivered"),
        ("resolved", "delivered"),
    ]


def test_a_channel_that_comes_back_is_told_anew(make: Make, stub: SlackStub) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "it waits")
    channels, harness.channels = harness.channels, ()
    assert harness.alerter.reload() == ""
    harness.tick(disk(("a", 90.0)))
    assert harness.kinds() == [("firing", "dead")]
    stub.default = OK
    harness.channels = channels
    assert harness.alerter.reload() == ""
    harness.tick(disk(("a", 90.0)))
    settle(harness, 2)
    assert harness.kinds()[1] == ("firing", "delivered")


def test_a_channel_that_does_not_take_an_alert_any_more_is_not_sent_what_waits(
    make: Make, stub: SlackStub
) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "it waits")
    harness.channels = (slack(stub, match={"severity": ["critical"]}),)
    assert harness.alerter.reload() == ""
    harness.tick(disk(("a", 90.0)))
    assert harness.kinds() == [("firing", "superseded")]


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_clock_neither_fires_nor_resolves_a_rate(make: Make, step: float) -> None:
    rule = {"alert": "Rate", "metric_key": "inserts.rejected_per_min", "operator": ">", "threshold": 0}
    harness = make(rules=rules(rule))
    harness.cluster()
    parts = Sample("parts", [("clickhouse_rejected_inserts_total", [], 0.0)])
    harness.tick(parts)
    harness.clock.step(step)
    for _ in range(10):
        harness.tick(parts)
    (found,) = [one for one in harness.working.engine.rules.values() if one.name == "Rate"]
    known = harness.working.sight.readings(harness.cluster_ids["prod"], found.metric_key)
    assert (known.hosts, known.blind) == (frozenset(), {"h1"})
    for _ in range(30):
        harness.tick(parts)
    known = harness.working.sight.readings(harness.cluster_ids["prod"], found.metric_key)
    assert known.blind == frozenset()


QUORUM = {"alert": "Quorum", "metric_key": "keeper.quorum", "operator": "==", "threshold": 0}
READONLY = {"alert": "Readonly", "metric_key": "replication.readonly", "operator": "==", "threshold": 1}


def test_what_speaks_of_a_cluster_lingers_on_all_of_its_hosts(make: Make, stub: SlackStub) -> None:
    harness = make(rules=rules(QUORUM, {**READONLY, "inhibited_by": ["Quorum"]}), channels=(slack(stub),))
    harness.cluster("prod", "h1", "h2")
    replica = Sample("replication", [("clickhouse_replica_readonly", ["db", "t"], 1.0)])

    def visit(quorum: float) -> None:
        harness.clock.pass_(10)
        harness.feed(Sample("keeper-nodes", [("clickhouse_keeper_quorum", [], quorum)]), replica)
        harness.feed(replica, host="h2")
        harness.alerter.working.tick()

    visit(0.0)
    visit(1.0)
    visit(1.0)
    held = {a.detail["host"]: a.detail["inhibited_by"] for a in harness.alerts("active")}
    assert held == {"h1": "Quorum", "h2": "Quorum"}


def test_a_built_in_rule_is_on_again_when_the_file_that_switched_it_off_is_gone(make: Make) -> None:
    harness = make(rules=one_rule(alert="DiskUsage", enabled=False))
    settings = harness.settings

    def both() -> object:
        found = settings()
        return found.model_copy(update={"rules": found.rules.model_copy(update={"builtin": True})})

    harness.settings = both  # type: ignore[method-assign,assignment]
    assert harness.alerter.reload() == ""
    harness.tick()
    assert not enabled(harness, "DiskUsage")
    harness.write_rules(one_rule(alert="Another"))
    assert harness.alerter.reload() == ""
    harness.tick()
    assert enabled(harness, "DiskUsage")


def enabled(harness: Harness, name: str) -> bool:
    with harness.database.read() as db:
        return next(one for one in stored_rules.every(db) if one.name == name).enabled


def test_a_step_of_the_clock_gives_up_no_message(make: Make, stub: SlackStub) -> None:
    stub.default = ROLLUP_ERROR
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "it waits")
    harness.idle(120)
    harness.clock.step(25 * 3600)
    harness.idle(20)
    stub.default = OK
    harness.until(ended(harness, 1), "it goes through")
    assert harness.kinds() == [("firing", "delivered")]


def test_a_reading_of_an_hour_ago_resolves_nothing(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    harness.clock.pass_(5)
    harness.feed(disk(("a", 10.0)))
    harness.clock.pass_(3600)
    harness.alerter.working.tick()
    assert [a.status for a in harness.alerts()] == ["active"]


def test_a_severity_that_rises_again_is_told_again(make: Make, stub: SlackStub) -> None:
    base = {"metric_key": "disk.usage_pct", "operator": ">"}
    harness = make(
        rules=rules(
            {"alert": "Disk", "threshold": 80, **base},
            {"alert": "DiskCritical", "threshold": 95, "raises": "Disk", "severity": "critical", **base},
        ),
        channels=(slack(stub),),
    )
    harness.cluster()
    for number, value in enumerate((90.0, 97.0, 90.0, 97.0)):
        harness.tick(disk(("a", value)))
        settle(harness, (1, 2, 2, 3)[number])
    assert [kind for kind, _ in harness.kinds()] == ["firing", "rise", "rise"]


def test_an_edited_rule_gives_its_alert_its_new_text_at_once(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    harness.write_rules(one_rule(threshold=50, annotations={"summary": "new"}))
    assert harness.alerter.reload() == ""
    harness.tick(disk(("a", 90.0)))
    (alert,) = harness.alerts()
    assert (alert.detail["threshold"], alert.detail["summary"]) == (50, "new")


def test_a_channel_that_needs_repair_stays_so_while_it_fails_otherwise(make: Make, stub: SlackStub) -> None:
    stub.script(NO_SERVICE, ROLLUP_ERROR, ROLLUP_ERROR)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "404")
    harness.idle(300)
    wait_until(lambda: harness.rows()[0].attempts >= 2, 10, "500")
    assert harness.working.status.channels() == {"slack": False}

    harness.until(ended(harness, 1), "it goes through")
    assert harness.working.status.channels() == {"slack": True}

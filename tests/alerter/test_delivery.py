"""Delivery: every row of the table in spec/rules.md, against the stub of Slack that misbehaves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustersight.notify.notice import NoticeKind
from clustersight.store import alert_changes, channels, silences
from clustersight.store.silences import NewSilence
from tests.alerter.harness import Harness, Make, Sample, disk, one_rule, rules, slack
from tests.servers.process import wait_until
from tests.servers.slack import (
    INVALID_PAYLOAD,
    NO_SERVICE,
    ROLLUP_ERROR,
    Answer,
    Fault,
    SlackStub,
    rate_limited,
)

CRITICAL = {"severity": "critical"}


def texts(stub: SlackStub) -> list[str]:
    return [str(body) for body in stub.delivered]


def ended(harness: Harness, number: int) -> Callable[[], bool]:
    """Whether so many rows have ended, and none waits."""

    def check() -> bool:
        states = [row.state for row in harness.rows()]
        return len(states) >= number and "pending" not in states

    return check


def settle(harness: Harness, number: int, timeout_seconds: float = 20) -> None:
    wait_until(ended(harness, number), timeout_seconds, f"{number} rows have ended: {harness.kinds()}")


def test_an_alert_is_sent_once_and_its_end_with_duration_and_last_value(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)
    for _ in range(5):
        harness.tick(disk(("default", 91.0)))
    harness.tick(disk(("default", 12.0)))
    settle(harness, 2)
    first, last = texts(stub)
    assert "DiskFilling" in first
    assert "RESOLVED" in last
    assert "12" in last
    assert harness.kinds() == [("firing", "delivered"), ("resolved", "delivered")]


def test_it_is_repeated_after_the_cooldown_since_the_confirmed_delivery(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(cooldown_sec=60), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)
    for _ in range(5):
        harness.tick(disk(("default", 90.0)))
    assert len(harness.rows()) == 1
    harness.tick(disk(("default", 90.0)))
    settle(harness, 2)
    assert harness.kinds()[1] == ("repeat", "delivered")


def test_a_rise_is_not_held_back_by_the_cooldown_nor_by_an_acknowledgement(
    make: Make, stub: SlackStub
) -> None:
    base = {"metric_key": "disk.usage_pct", "operator": ">"}
    harness = make(
        rules=rules(
            {"alert": "Disk", "threshold": 80, **base},
            {"alert": "DiskCritical", "threshold": 95, "raises": "Disk", **base, **CRITICAL},
        ),
        channels=(slack(stub),),
    )
    harness.cluster()
    harness.tick(disk(("default", 85.0)))
    settle(harness, 1)
    acknowledge(harness)
    harness.tick(disk(("default", 97.0)))
    settle(harness, 2)
    assert harness.kinds() == [("firing", "delivered"), ("rise", "delivered")]


def acknowledge(harness: Harness) -> None:
    (alert,) = harness.alerts()
    with harness.database.begin() as db:
        assert alert_changes.acknowledge(db, alert.id, "ann", harness.clock.wall)


def test_an_acknowledged_alert_is_not_repeated_and_its_end_is_told(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(cooldown_sec=20), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)
    acknowledge(harness)
    for _ in range(6):
        harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 10.0)))
    settle(harness, 2)
    assert harness.kinds() == [("firing", "delivered"), ("resolved", "delivered")]


def silence(harness: Harness, minutes: float, **labels: str) -> None:
    now = harness.clock.wall
    matchers = [{"label": name, "op": "=", "value": value} for name, value in labels.items()]
    with harness.database.begin() as db:
        silences.create(db, NewSilence(matchers, now, now + 60 * minutes, "ann", "maintenance"), now)


def test_a_silenced_alert_is_sent_when_the_silence_ends_and_it_still_fires(
    make: Make, stub: SlackStub
) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    silence(harness, 1, alertname="DiskFilling")
    harness.tick(disk(("default", 90.0)))
    (alert,) = harness.alerts()
    assert alert.detail["silenced_by"]
    assert harness.rows() == []
    for _ in range(6):
        harness.tick(disk(("default", 90.0)))
    settle(harness, 1)


def test_the_end_of_a_delivered_alert_is_told_also_while_it_is_silenced(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)
    silence(harness, 60, host="h1")
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 10.0)))
    settle(harness, 2)


def test_a_silenced_alert_that_was_never_told_ends_without_a_word(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    silence(harness, 60, host="h1")
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 10.0)))
    assert [a.status for a in harness.alerts()] == ["resolved"]
    assert harness.rows() == []


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_step_of_the_clock_neither_ends_nor_prolongs_a_silence(
    make: Make, stub: SlackStub, step: float
) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    silence(harness, 2, host="h1")
    harness.tick(disk(("default", 90.0)))
    harness.clock.step(step)
    for _ in range(10):
        harness.tick(disk(("default", 90.0)))
    assert harness.rows() == []
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)


def test_a_snooze_survives_a_kill(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    silence(harness, 60, host="h1")
    harness.kill()
    harness.start()
    harness.tick(disk(("default", 90.0)))
    assert harness.rows() == []


def test_what_waits_when_a_silence_begins_is_not_sent(make: Make, stub: SlackStub) -> None:
    stub.script(Answer(fault=Fault.HANG), *[ROLLUP_ERROR] * 50)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    stub.script(*[ROLLUP_ERROR] * 50)
    harness.tick(disk(("default", 90.0)))
    silence(harness, 60, host="h1")
    harness.tick(disk(("default", 90.0)))
    assert [row.state for row in harness.rows()] == ["superseded"]
    assert harness.rows()[0].last_error == "silenced"


def test_two_channels_of_which_one_fails_are_independent(make: Make, stub: SlackStub) -> None:
    with SlackStub(default=NO_SERVICE) as broken:
        harness = make(rules=one_rule(), channels=(slack(stub), slack(broken, "broken")))
        harness.cluster()
        harness.tick(disk(("default", 90.0)))
        stub.wait_for(lambda got: len(got) == 1)
        expected = {"slack": "healthy", "broken": "unhealthy"}
        wait_until(lambda: states(harness) == expected, 10, "the channel is marked")
        wait_until(
            lambda: (
                sorted((r.channel, r.state) for r in harness.rows())
                == [("broken", "pending"), ("slack", "delivered")]
            ),
            10,
            "one is delivered, one waits",
        )


def states(harness: Harness) -> dict[str, str]:
    with harness.database.read() as db:
        return {name: state.state for name, state in channels.every(db).items()}


def test_a_channel_takes_what_its_match_says_and_none_is_shown_as_such(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub, match={"severity": ["critical"]}),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    (alert,) = harness.alerts()
    assert alert.detail["channels"] == []
    assert harness.rows() == []


def test_a_refused_message_goes_once_more_as_plain_text_and_then_is_dead(make: Make, stub: SlackStub) -> None:
    stub.script(INVALID_PAYLOAD, INVALID_PAYLOAD)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: len(stub.received) >= 2, 10, "both tries")
    settle(harness, 1)
    assert harness.kinds() == [("firing", "dead")]
    assert "400" in harness.rows()[0].last_error
    rich, plain = (got.body for got in stub.received)
    assert "attachments" in str(rich) or "blocks" in str(rich)
    assert "blocks" not in str(plain)


def test_a_refused_message_that_goes_as_plain_text_is_delivered(make: Make, stub: SlackStub) -> None:
    stub.script(INVALID_PAYLOAD)
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    settle(harness, 1)
    assert harness.kinds() == [("firing", "delivered")]


def test_alerts_of_one_rule_and_cluster_that_are_due_together_are_one_message(
    make: Make, stub: SlackStub
) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(*((f"disk{n}", 90.0 + n / 10) for n in range(8))))
    settle(harness, 8)
    (message,) = texts(stub)
    assert all(f"disk{n}" in message for n in range(8))


def test_a_storm_of_a_grouped_rule_is_a_handful_of_messages(make: Make, stub: SlackStub) -> None:
    """facts/clickhouse-facts.md 8, incident 1: a Keeper is lost under 5000 replicated tables."""
    harness = make(channels=(slack(stub),), interval=30)
    harness.cluster()
    tables = [f"t{n}" for n in range(5000)]

    def node(online: float, *, broken: bool) -> tuple[Sample, Sample]:
        value = float(broken)
        replicas = [
            (family, ["db", table], value)
            for family in (
                "clickhouse_replica_readonly",
                "clickhouse_replica_readonly_unexpected",
                "clickhouse_replica_session_expired",
            )
            for table in tables
        ]
        rows = [{"host": "h1", "database": "db", "table": table, "is_readonly": broken} for table in tables]
        return Sample("replication", replicas, rows), Sample(
            "keeper", [("clickhouse_keeper_online", [], online)]
        )

    for _ in range(9):
        harness.tick(*node(0.0, broken=True))
    wait_until(lambda: not any(r.state == "pending" for r in harness.rows()), 30, "all is sent")
    assert 1 <= len(stub.delivered) <= 3
    assert "KeeperOffline" in texts(stub)[0]
    inhibited = [a for a in harness.alerts("active") if a.detail["inhibited_by"] == "KeeperOffline"]
    assert len(inhibited) >= 10_000
    for _ in range(3):
        harness.tick(*node(1.0, broken=False))
    wait_until(lambda: not any(r.state == "pending" for r in harness.rows()), 30, "all is sent")
    assert len(stub.delivered) <= 5
    assert harness.alerts("active") == []


def test_the_kinds_of_notices_are_those_of_the_outbox() -> None:
    assert {kind.value for kind in NoticeKind} == {
        "escalated",
        "test",
        "firing",
        "rise",
        "resolved",
        "repeat",
    }


def test_resolved_before_it_was_told_is_one_message_that_names_both(make: Make, stub: SlackStub) -> None:
    """Alertmanager 0.25 sent nothing at all here (facts/alerting-engines.md 3.4)."""
    stub.script(rate_limited(15))
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    wait_until(lambda: harness.rows()[0].attempts == 1, 10, "the first try was refused")
    harness.tick(disk(("default", 10.0)))
    harness.idle(6)
    settle(harness, 2)
    (message,) = texts(stub)
    assert "DiskFilling" in message
    assert "RESOLVED" in message
    assert [row.state for row in harness.rows()] == ["superseded", "delivered"]
    assert harness.rows()[0].superseded_by == harness.rows()[1].id

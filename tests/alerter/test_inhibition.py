"""An alert that follows from another one is listed and not sent, and for a while after that one too."""

from __future__ import annotations

from tests.alerter.harness import Harness, Make, Sample, disk, rules, slack
from tests.alerter.test_delivery import settle, texts
from tests.servers.slack import SlackStub

NODE = {"alert": "Down", "metric_key": "server.up", "operator": "==", "threshold": 0, "severity": "critical"}
DISK = {"alert": "Disk", "metric_key": "disk.usage_pct", "operator": ">", "threshold": 80}


def up(value: float) -> Sample:
    return Sample("collector", [("clickhouse_up", [], value)])


def harness(make: Make, stub: SlackStub) -> Harness:
    found = make(rules=rules(NODE, {**DISK, "inhibited_by": ["Down"]}), channels=(slack(stub),))
    found.cluster("prod", "h1", "h2")
    return found


def inhibitors(found: Harness) -> dict[str, str | None]:
    return {
        a.detail["host"]: a.detail["inhibited_by"] for a in found.alerts("active") if a.rule_name == "Disk"
    }


def test_what_follows_is_not_sent_and_the_message_counts_it(make: Make, stub: SlackStub) -> None:
    found = harness(make, stub)
    found.feed(up(0.0))
    found.feed(disk(("a", 90.0), ("b", 91.0)))
    found.tick()
    settle(found, 1)
    (message,) = texts(stub)
    assert "Down" in message
    assert "2 other alerts" in message
    assert inhibitors(found) == {"h1": "Down"}


def test_another_host_is_not_inhibited(make: Make, stub: SlackStub) -> None:
    found = harness(make, stub)
    found.feed(up(0.0))
    found.feed(disk(("a", 90.0)), host="h2")
    found.tick()
    settle(found, 2)
    assert inhibitors(found) == {"h2": None}


def test_it_stays_inhibited_for_a_minute_and_then_is_sent(make: Make, stub: SlackStub) -> None:
    found = harness(make, stub)
    found.feed(up(0.0))
    found.feed(disk(("a", 90.0)))
    found.tick()
    settle(found, 1)
    for _ in range(6):
        found.tick(up(1.0), disk(("a", 90.0)))
    settle(found, 2)
    assert inhibitors(found) == {"h1": "Down"}
    for _ in range(3):
        found.tick(up(1.0), disk(("a", 90.0)))
    settle(found, 3)
    assert inhibitors(found) == {"h1": None}
    assert "Disk" in texts(stub)[-1]


def test_the_linger_survives_a_kill(make: Make, stub: SlackStub) -> None:
    found = harness(make, stub)
    found.feed(up(0.0))
    found.feed(disk(("a", 90.0)))
    found.tick()
    found.tick(up(1.0), disk(("a", 90.0)))
    settle(found, 2)
    found.kill()
    found.start()
    found.tick(up(1.0), disk(("a", 90.0)))
    assert inhibitors(found) == {"h1": "Down"}
    assert len(found.rows()) == 2


def test_what_follows_and_ends_first_is_never_heard_of(make: Make, stub: SlackStub) -> None:
    found = harness(make, stub)
    found.feed(up(0.0))
    found.feed(disk(("a", 90.0)))
    found.tick()
    found.tick(up(1.0), disk(("a", 10.0)))
    settle(found, 2)
    assert ["Disk" in text for text in texts(stub)] == [False, False]

"""What is over for long enough is forgotten, what still fires is not."""

from __future__ import annotations

from clustersight.store import alert_events, alert_retention
from tests.alerter.harness import Make, disk, one_rule, slack
from tests.alerter.test_delivery import settle, silence
from tests.servers.slack import SlackStub


def test_resolved_alerts_go_with_their_events_and_deliveries(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("old", 90.0), ("firing", 90.0)))
    silence(harness, 1, host="nobody")
    harness.tick(disk(("firing", 90.0)))
    settle(harness, 3)
    before = harness.clock.wall + 100
    for _ in alert_retention.expire(harness.database, before):
        pass
    (alert,) = harness.alerts()
    assert alert.detail["labels"]["disk"] == "firing"
    assert {row.alert_id for row in harness.rows()} == {alert.id}
    with harness.database.read() as db:
        assert [event.kind for event in alert_events.of_alert(db, alert.id)] == ["fired"]


def test_nothing_goes_before_its_time(make: Make, stub: SlackStub) -> None:
    harness = make(rules=one_rule(), channels=(slack(stub),))
    harness.cluster()
    harness.tick(disk(("old", 90.0)))
    harness.tick(disk())
    settle(harness, 2)
    for _ in alert_retention.expire(harness.database, harness.clock.wall - 100):
        pass
    assert len(harness.alerts()) == 1
    assert len(harness.rows()) == 2

"""What an alerter tells of itself when another one has taken over its store."""

from __future__ import annotations

from clustersight.process.leadership import LEASE_SECONDS
from tests.alerter.harness import Make, disk, one_rule, slack
from tests.servers.slack import SlackStub

FIRING = ("DiskFilling", "prod", "warning")


def test_who_led_before_tells_no_alerts_any_more(make: Make, stub: SlackStub) -> None:
    """Else Prometheus counts each alert twice, and one that is over fires for ever on the dashboards."""
    site = make(rules=one_rule(), channels=(slack(stub),))
    site.cluster()
    site.tick(disk(("d", 90.0)))
    slow = site.alerter.working
    assert slow.status.firing() == {FIRING: 1}
    assert slow.status.channels() == {"slack": True}

    site.clock.pass_(LEASE_SECONDS + 1)
    site.start()
    site.tick(disk(("d", 90.0)))
    slow.tick()

    assert site.alerter.working.status.firing() == {FIRING: 1}
    assert slow.status.firing() == {}
    assert slow.status.alerts() == {"warning": 0, "critical": 0}
    assert slow.status.channels() == {}
    slow.stop()


def test_while_the_store_fails_what_was_known_is_still_told(make: Make, stub: SlackStub) -> None:
    """None of it is over only because it cannot be looked at."""
    site = make(rules=one_rule(), channels=(slack(stub),))
    site.cluster()
    site.tick(disk(("d", 90.0)))

    site.working._begun = False  # as after an error of the store
    site.working._tell_status()

    assert not site.working.status.leads
    assert site.working.status.firing() == {FIRING: 1}

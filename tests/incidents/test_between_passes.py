"""What the incidents of this folder found in the alerter, each as small as it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.store import outbox
from clustersight.store.database import Database
from tests.alerter.harness import Harness, disk, rules, slack
from tests.servers.process import wait_until
from tests.servers.slack import SlackStub


@pytest.fixture
def harness(tmp_path: Path, sqlite_database: Database) -> Iterator[Harness]:
    """A source and what follows from it, and an inbox."""
    source = a_rule("Source", "a")
    follows = a_rule("Follows", "b") | {"inhibited_by": ["Source"]}
    with SlackStub() as stub:
        made = Harness(tmp_path, sqlite_database, rules(source, follows), (slack(stub),))
        yield made
        made.stop()


def a_rule(name: str, of_disk: str) -> dict[str, object]:
    condition = {"metric_key": "disk.usage_pct", "match": {"disk": of_disk}, "operator": ">", "threshold": 85}
    return {"alert": name, "severity": "critical", "cooldown_sec": 60, **condition}


def test_what_follows_is_not_sent_in_the_pass_in_which_its_source_ends(harness: Harness) -> None:
    """Five thousand tables are still read-only when Keeper answers again."""
    harness.cluster()
    harness.tick(disk(("a", 90.0), ("b", 90.0)))
    for _ in range(2):
        harness.tick(disk(("a", 10.0), ("b", 90.0)))
        assert {row.message["rule_name"] for row in harness.rows()} == {"Source"}
        [follows] = [one for one in harness.alerts() if one.rule_name == "Follows"]
        assert (follows.status, follows.detail["inhibited_by"]) == ("active", "Source")


def test_a_repeat_just_after_a_restart_names_the_cluster(harness: Harness) -> None:
    """Before its first pass the alerter looks at what people did, and may find a repeat that is due."""
    harness.cluster()
    harness.tick(disk(("a", 90.0)))
    wait_until(lambda: harness.rows()[0].state == outbox.DELIVERED, 10, "it is told")
    harness.stop()
    harness.clock.pass_(120)
    harness.start()
    harness.alerter.working.tick()
    assert {row.message["cluster"] for row in harness.rows()} == {"prod"}
    assert len(harness.rows()) == 2

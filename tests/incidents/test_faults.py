"""One ClickHouse 26.9 with many faults: each arrives, its fix runs, and Prometheus fires the same.

Of the pack no rule is left out by `rules export`; of a rule only what Prometheus has no place for is.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clustersight.rules.pack import built_in
from tests.conftest import running
from tests.incidents.chain import Chain, of_26, shown, watched
from tests.incidents.faults import CUSTOMER, DATABASE, Faulty
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until
from tests.servers.prometheus import Prometheus, promtool
from tests.servers.zookeeper import ZooKeeper

DAY = 86_400
# None of them succeeds here.
BACKUPS = {"backups": {"expected_every": "1h"}}
# What the scrape adds to a series.
OF_THE_SCRAPE = {"job", "instance"}
RANK = ["warning", "critical"]

# Rule, severity, and labels that tell which of its alerts.
ARRIVES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("PartsPressure", "critical", {"table": "full"}),
    ("PartsPressure", "warning", {"table": "slow"}),
    ("PartsTotalPressure", "critical", {"table": "scattered"}),
    ("InsertsDelayed", "warning", {}),
    ("InsertsRejected", "critical", {}),
    ("PartsCreatedFasterThanMerged", "warning", {"table": "tiny"}),
    ("MutationsMany", "warning", {"table": "mutated"}),
    ("BrokenParts", "warning", {"table": "broken", "reason_class": "broken"}),
    ("CriticalErrors", "warning", {"error": "CHECKSUM_DOESNT_MATCH"}),
    ("CapacityErrors", "warning", {"error": "MEMORY_LIMIT_EXCEEDED"}),
    ("CapacityErrors", "warning", {"error": "TOO_MANY_PARTS"}),
    ("FailedQueries", "warning", {}),
    ("QueriesRefused", "critical", {}),
    ("InterserverFailing", "warning", {"kind": "distributed"}),
    ("BackupFailed", "warning", {}),
    ("BackupStale", "warning", {"cluster": "prod"}),
    ("DistributionBacklog", "warning", {"table": "unsent"}),
    ("DistributionBlocked", "warning", {"table": "stopped"}),
    ("DistributionBroken", "critical", {"table": "spoiled"}),
    ("DictionaryFailing", "warning", {"dictionary": "lost"}),
    ("ViewRefreshFailing", "warning", {"view": "throwing"}),
    ("KafkaConsumerFailing", "warning", {"table": "consumed"}),
)


@dataclass
class Scene:
    """What the tests of this module look at."""

    faulty: Faulty
    chain: Chain
    prometheus: Prometheus
    left_out: str


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, zookeeper: ZooKeeper) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("faults")
    server = EmbeddedServer(folder / "server", zookeeper=zookeeper.address)
    try:
        with running(server):
            faulty = Faulty(server)
            faulty.set_up()
            with watched(folder / "chain", [of_26(server, "prod")], settings=BACKUPS) as chain:
                rules, left_out = exported(chain)
                prometheus = a_prometheus(folder / "prometheus", chain, rules)
                with running(prometheus), faulty.used():
                    faulty.break_later()
                    yield Scene(faulty, chain, prometheus, left_out)
            # With a replica that lost its ZooKeeper the engine would not end by itself.
            server.kill()
    finally:
        server.kill()


def exported(chain: Chain) -> tuple[Path, str]:
    """The rules of the alerter as a user takes them to Prometheus, and what is said to be left out."""
    command = [sys.executable, "-P", "-c", "from clustersight.cli import main; main()"]
    arguments = ["rules", "export", "--format", "prometheus", "--config", str(chain.alerter.file)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    path = chain.folder / "exported.yml"
    path.write_text(done.stdout, encoding="utf-8")
    return path, done.stderr


def a_prometheus(folder: Path, chain: Chain, rules: Path) -> Prometheus:
    """It scrapes and evaluates as often as the alerter looks, and has been there since yesterday."""
    job = {
        "job_name": "clustersight",
        "honor_labels": True,
        "static_configs": [{"targets": [chain.exporter.url.removeprefix("http://")]}],
    }
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [job],
    }
    prometheus = Prometheus(folder, config)
    remember_yesterday(prometheus, chain)
    return prometheus


def remember_yesterday(prometheus: Prometheus, chain: Chain) -> None:
    """BrokenParts compares with a day ago: what the page says of detached parts now was so then too."""
    family = "clickhouse_detached_parts_all"
    lines = [line for line in chain.exporter.get("/metrics").text.splitlines() if line.startswith(family)]
    assert lines
    start = int(time.time()) - DAY - 600
    history = [f"{line} {at}" for line in lines for at in range(start, start + 1800, 15)]
    file = prometheus.folder / "yesterday.txt"
    file.write_text("\n".join([f"# TYPE {family} gauge", *history, "# EOF", ""]), encoding="utf-8")
    blocks = promtool("tsdb", "create-blocks-from", "openmetrics", str(file), str(prometheus.folder / "data"))
    assert blocks.returncode == 0, blocks.stderr


def test_each_fault_arrives(scene: Scene) -> None:
    chain = scene.chain
    for rule, severity, labels in ARRIVES:
        alert = chain.wait_alert(
            rule,
            lambda one, severity=severity, labels=labels: (
                one.severity == severity and labels.items() <= one.detail["labels"].items()
            ),
        )
        assert alert.detail["inhibited_by"] is None, alert
        chain.wait_message(f"] {rule}", *labels.values())


def test_a_score_that_is_low_for_known_reasons_is_silent(scene: Scene) -> None:
    assert scene.chain.wait_alert("HealthScoreLow").detail["inhibited_by"]
    assert not scene.chain.messages("] HealthScoreLow")


def test_small_inserts_are_silent_beside_what_comes_of_them(scene: Scene) -> None:
    alert = scene.chain.wait_alert("SmallInserts", lambda one: one.detail["labels"]["table"] == "tiny")
    assert alert.detail["inhibited_by"] == "PartsCreatedFasterThanMerged"
    assert alert.detail["evidence"]["rows_per_part"] == 1
    assert not scene.chain.messages("] SmallInserts")


def test_a_replica_that_is_read_only_by_itself_arrives_with_its_own_fix(scene: Scene) -> None:
    alert = scene.chain.wait_alert("ReplicaReadonly")
    assert (alert.detail["inhibited_by"], alert.severity) == (None, "critical")
    message = scene.chain.wait_message("[CRITICAL] ReplicaReadonly")
    assert f"SYSTEM RESTART REPLICA `{DATABASE}`.`readonly`;" in message.fix
    assert f"-- SYSTEM RESTORE REPLICA `{DATABASE}`.`readonly`;" in message.fix
    [question] = selects(message.fix)
    [[is_readonly, *_]] = scene.faulty.server.execute(question)
    assert is_readonly == 1


def test_the_questions_of_every_fix_can_be_asked(scene: Scene) -> None:
    for alert in scene.chain.alerts():
        for statement in selects(alert.detail["fix_command"] or ""):
            scene.faulty.server.execute(statement)


def selects(fix: str) -> list[str]:
    """The statements of a fix that only look; its comments begin a line."""
    plain = "\n".join(line for line in fix.splitlines() if not line.lstrip().startswith("--"))
    return [one.strip() for one in plain.split(";") if one.strip().startswith("SELECT")]


def test_prometheus_fires_the_same(scene: Scene) -> None:
    is_left_out(scene)
    scene.chain.wait_alert("MutationFailing")
    difference: dict[str, Any] = {}

    def is_equal() -> bool:
        ours, theirs = of_alerter(scene.chain), of_prometheus(scene.prometheus)
        difference.update(alerter=ours - theirs, prometheus=theirs - ours)
        return bool(ours) and ours == theirs

    for _ in range(3):  # and again after the next visits
        try:
            wait_until(is_equal, 60, "the same alerts")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {difference}") from error
        visits = scene.chain.exporter.value("clustersight_exporter_visits_total")
        wait_until(
            lambda visits=visits: scene.chain.exporter.value("clustersight_exporter_visits_total") != visits,
            30,
            "another visit",
        )
    found = {name for name, _, _ in of_alerter(scene.chain)}
    assert {rule for rule, _, _ in ARRIVES} | {"MutationFailing", "ReplicaReadonly"} <= found


def is_left_out(scene: Scene) -> None:
    """No rule, and of each one only its fix."""
    names = {rule.name for rule in built_in().rules}
    [line] = scene.left_out.splitlines()
    assert line.startswith("left out: fix, which Prometheus has no place for: ")
    assert set(line.rpartition(": ")[2].split(", ")) == names


Fired = set[tuple[str, str, frozenset[tuple[str, str]]]]


def of_alerter(chain: Chain) -> Fired:
    """What fires, also what is inhibited: that is Alertmanager's in Prometheus' world."""
    return {(a.rule_name, a.severity, frozenset(a.detail["labels"].items())) for a in chain.unresolved()}


def of_prometheus(prometheus: Prometheus) -> Fired:
    """What fires; of a rule and the one that raises it, both of which do, the more severe."""
    worst: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
    for alert in prometheus.get("alerts")["alerts"]:
        labels = {name: text for name, text in alert["labels"].items() if name not in OF_THE_SCRAPE}
        name, severity = labels.pop("alertname"), labels.pop("severity")
        if alert["state"] == "firing":
            place = (name, frozenset(labels.items()))
            worst[place] = max(severity, worst.get(place, severity), key=RANK.index)
    return {(name, severity, labels) for (name, labels), severity in worst.items()}


def test_the_fix_of_a_failing_mutation_heals(scene: Scene) -> None:
    """Copied from the inbox, it ends the mutation, and then the alert."""
    chain, server = scene.chain, scene.faulty.server
    message = chain.wait_message("[WARNING] MutationFailing", "failing")
    alert = chain.wait_alert("MutationFailing")
    assert "Code: 395." in alert.detail["evidence"]["latest_fail_reason"]
    assert "Code: 395." in message.text
    assert CUSTOMER not in shown(alert.detail) + message.text
    assert scene.faulty.mutation_exists()
    assert message.fix == alert.detail["fix_command"].strip("\n")
    server.execute(message.fix[message.fix.index("KILL MUTATION") :])
    assert not scene.faulty.mutation_exists()
    chain.wait_alert("MutationFailing", lambda one: one.status == "resolved")
    chain.wait_message("[RESOLVED] MutationFailing")

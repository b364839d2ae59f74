"""What ships for Prometheus and Alertmanager: their own tools read it, and it is what the rules say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from clustersight.rules import alertmanager, prometheus
from clustersight.rules.pack import built_in
from tests.conftest import packages_needed
from tests.grafana.expressions import PROMETHEUS, ROOT
from tests.servers.process import program
from tests.servers.prometheus import promtool

PROVISIONING = ROOT / "grafana" / "provisioning"


def test_promtool_reads_the_configuration_and_all_rule_files() -> None:
    with packages_needed():
        answer = promtool("check", "config", str(PROMETHEUS / "prometheus.yml"))

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "3 rule files found" in answer.stdout


def test_the_alerting_rules_are_those_of_the_pack() -> None:
    written = (PROMETHEUS / "rules" / "alerts.yml").read_text("utf-8")

    assert written == prometheus.export(built_in().rules).text, "run `make generate`"


def test_the_example_of_an_alertmanager_is_made_of_the_pack() -> None:
    written = (PROMETHEUS / "alertmanager.yml").read_text("utf-8")

    assert written == alertmanager.export(built_in().rules).text, "run `make generate`"


def test_amtool_reads_the_example() -> None:
    with packages_needed():
        amtool = program("amtool", "prometheus-alertmanager")
    answer = subprocess.run(
        [amtool, "check-config", str(PROMETHEUS / "alertmanager.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stdout + answer.stderr


def inhibit_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text("utf-8"))
    found: list[dict[str, Any]] = document["inhibit_rules"]
    return found


def inhibited_by(name: str) -> dict[str, list[str]]:
    """Which alerts an alert silences, and by which labels they must agree."""
    found = {}
    for rule in inhibit_rules():
        if rule["source_matchers"] == [f'alertname="{name}"']:
            targets = rule["target_matchers"][0].partition("=")[2].strip('~"').split("|")
            found.update(dict.fromkeys(targets, rule["equal"]))
    return found


def test_a_node_that_is_down_silences_what_is_on_it() -> None:
    assert inhibited_by("NodeDown")["DiskUsage"] == ["cluster", "host"]


def test_a_lost_quorum_silences_on_all_hosts_since_one_tells_of_the_cluster() -> None:
    assert inhibited_by("KeeperQuorumLost")["ReplicaReadonly"] == ["cluster"]


def test_a_read_only_replica_silences_the_lag_of_its_table_only() -> None:
    assert inhibited_by("ReplicaReadonly")["ReplicationLag"] == ["cluster", "host", "database", "table"]


def test_the_critical_alert_silences_its_warning_about_the_same_thing() -> None:
    raised = next(rule for rule in inhibit_rules() if 'severity="critical"' in rule["source_matchers"])

    assert raised["target_matchers"][1] == 'severity="warning"'
    assert {"alertname", "cluster", "host", "disk", "table"} <= set(raised["equal"])


WATCHING = """\
rule_files: [watching.yml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - {series: 'up{job="clustersight-alerter",instance="a"}', values: '1x4 0x20'}
      - {series: 'clustersight_exporter_leader{instance="e"}', values: '1x30'}
      - {series: 'clustersight_alerter_last_evaluation_timestamp_seconds', values: '0+30x4 120x20'}
      - {series: 'clustersight_alerter_channel_healthy{channel="oncall"}', values: '1x4 0x20'}
      - {series: 'clustersight_store_up', values: '1x30'}
    alert_rule_test:
      - {eval_time: 2m, alertname: ClusterSightDown, exp_alerts: []}
      - {eval_time: 2m, alertname: ClusterSightNobodyCollects, exp_alerts: []}
      - {eval_time: 2m, alertname: ClusterSightNobodyEvaluates, exp_alerts: []}
      - eval_time: 8m
        alertname: ClusterSightDown
        exp_alerts:
          - exp_labels: {severity: critical, job: clustersight-alerter, instance: a}
            exp_annotations:
              summary: clustersight-alerter at a does not answer
              description: Nobody looks at ClickHouse, or nobody is told. Look at the log of the process.
      - eval_time: 8m
        alertname: ClusterSightNobodyEvaluates
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: No alerter evaluates the rules
              description: No alert fires and none resolves. /-/ready of each alerter says why.
      - eval_time: 8m
        alertname: ClusterSightNotDelivering
        exp_alerts:
          - exp_labels: {severity: critical, channel: oncall}
            exp_annotations:
              summary: The channel oncall takes no messages
              description: Alerts wait in the outbox. GET /api/v1/channels has the error.
  - interval: 30s
    # Tier 1 every ten minutes: rules are evaluated as often. And a channel that times out for ever.
    input_series:
      - {series: 'clustersight_panel_interval_seconds{panel="parts"}', values: '600x60'}
      - {series: 'clustersight_panel_interval_seconds{panel="compression"}', values: '6000x60'}
      - series: clustersight_alerter_last_evaluation_timestamp_seconds
        values: '0x19 600x19 1200x60'
      - {series: 'clustersight_alerter_channel_healthy{channel="oncall"}', values: '1x60'}
      - {series: 'clustersight_alerter_outbox_oldest_age_seconds', values: '0+30x60'}
      - series: 'clustersight_alerter_notifications_total{channel="oncall",outcome="dead"}'
        values: '0x20 2x40'
    alert_rule_test:
      - {eval_time: 28m, alertname: ClusterSightNobodyEvaluates, exp_alerts: []}
      - {eval_time: 15m, alertname: ClusterSightMessagesWait, exp_alerts: []}
      - {eval_time: 28m, alertname: ClusterSightNotDelivering, exp_alerts: []}
      - eval_time: 25m
        alertname: ClusterSightMessagesWait
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: A message has been waiting for 25m 0s
              description: >-
                It is tried again and again. GET /api/v1/channels has the error; often it is the network.
      - eval_time: 20m
        alertname: ClusterSightMessagesLost
        exp_alerts:
          - exp_labels: {severity: warning, channel: oncall}
            exp_annotations:
              summary: Messages for oncall were given up
              description: >-
                Nobody was told of these alerts. GET /api/v1/channels and the alerter's log have the reason.
      - eval_time: 55m
        alertname: ClusterSightNobodyEvaluates
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: No alerter evaluates the rules
              description: No alert fires and none resolves. /-/ready of each alerter says why.
  - interval: 30s
    # Nothing is scraped at all: that is the worst, and not the calmest.
    input_series: []
    alert_rule_test:
      - eval_time: 5m
        alertname: ClusterSightNobodyCollects
        exp_alerts:
          - exp_labels: {severity: critical}
            exp_annotations:
              summary: No exporter works on the store
              description: All exporters stand by, or none is scraped; /-/ready of each says why.
"""


def test_the_rules_about_clustersight_itself_fire_when_it_is_dead(tmp_path: Path) -> None:
    shutil.copy(PROMETHEUS / "rules" / "watching.yml", tmp_path)
    (tmp_path / "tests.yml").write_text(WATCHING)
    with packages_needed():
        answer = promtool("test", "rules", str(tmp_path / "tests.yml"))

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("file", sorted(PROVISIONING.glob("*/*.yaml")), ids=lambda file: file.parent.name)
def test_a_provisioning_file_is_of_the_version_that_grafana_reads(file: Path) -> None:
    assert yaml.safe_load(file.read_text("utf-8"))["apiVersion"] == 1


def provisioned(name: str) -> Any:
    return yaml.safe_load((PROVISIONING / name / "clustersight.yaml").read_text("utf-8"))


def test_the_data_source_knows_how_often_prometheus_scrapes() -> None:
    """$__rate_interval is made of it; without it rates have gaps."""
    (source,) = provisioned("datasources")["datasources"]
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))

    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    assert (source["type"], source["url"]) == ("prometheus", "${PROMETHEUS_URL}")


def test_the_provisioned_dashboards_are_changed_in_git_only() -> None:
    (provider,) = provisioned("dashboards")["providers"]

    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"].startswith("/")


def test_the_contact_point_holds_no_secret() -> None:
    (point,) = provisioned("alerting")["contactPoints"]

    assert point["receivers"][0]["settings"]["url"] == "$SLACK_WEBHOOK_URL"

"""`clustersight rules backtest`: which alerts rules would have raised over the stored history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clustersight.store import clusters
from clustersight.store.clusters import Description
from clustersight.store.database import Database
from tests.history.recording import DAY, Recording, key
from tests.rules.commanding import rules, write

STEP = 30
RULES = """\
rules:
  - {alert: Disk, expr: disk.usage_pct > 80, for: 2m}
  - {alert: DiskCritical, expr: disk.usage_pct > 90, severity: critical, raises: Disk}
  - {alert: Down, expr: server.up == 0, severity: critical}
  - {alert: Loss, expr: replicated_data_loss.per_min > 1.9}
  - {alert: Later, expr: disk.full_in_hours < 4}
  - {alert: Mine, sql: SELECT 1 AS value, operator: '>', threshold: 3}
"""
SHOWN = {"usage": "clickhouse_disk_usage_ratio", "loss": "clickhouse_replicated_data_loss_total"}


@pytest.fixture
def config(tmp_path: Path, sqlite_database: Database) -> Path:
    """A store with 20 minutes of one cluster: a disk at 85, then at 95; a node that was down; a counter."""
    with sqlite_database.begin() as db:
        found = clusters.create(db, Description("prod", "prod", 8123), None, 0.0)
    recording = Recording(sqlite_database, found.id)
    for number in range(41):
        at = DAY + number * STEP
        usage = 50.0 if number < 4 or number >= 30 else 85.0 if number < 20 else 95.0
        recording.say(at, {key(SHOWN["usage"], disk="d"): usage}, panel="disk")
        recording.say(at, {key("clickhouse_up"): float(number not in (10, 11))}, panel="collector")
        recording.say(at, {key(SHOWN["loss"]): float(min(number, 20))}, panel="events")
    return write(tmp_path / "clustersight.yaml", f"data_dir: {tmp_path}")


def replayed(config: Path, *more: str, text: str = RULES) -> Any:
    file = write(config.parent / "rules.yaml", text)
    span = ["--from", str(DAY), "--to", str(DAY + 1200), "--format", "json"]
    return rules("backtest", file, "--config", config, *span, *more)


def test_each_rule_with_when_and_for_how_long(config: Path) -> None:
    result = replayed(config)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    told = {one["rule"]: (one["began"][14:19], one["duration_seconds"]) for one in found["episodes"]}
    assert told == {
        "Disk": ("04:00", 660),
        "DiskCritical": ("10:00", 300),
        "Down": ("05:00", 60),
        "Loss": ("05:00", 330),
    }
    # A raised alert is the same alert.
    assert found["alerts"] == 3
    [disk] = [one for one in found["episodes"] if one["rule"] == "Disk"]
    assert (disk["cluster"], disk["host"], disk["labels"]) == ("prod", "one", {"disk": "d"})


def test_what_is_not_in_the_history_is_named(config: Path) -> None:
    told = replayed(config).stderr.splitlines()
    assert [line.split(": ")[1] for line in told if line.startswith("not replayable")] == ["Later", "Mine"]


def test_what_still_fires_has_no_end(config: Path) -> None:
    found = json.loads(replayed(config, "--to", str(DAY + 700)).stdout)
    [critical] = [one for one in found["episodes"] if one["rule"] == "DiskCritical"]
    assert (critical["ended"], critical["duration_seconds"]) == (None, 100)


def test_falling_rules_look_at_the_lowest_value_of_a_step(config: Path) -> None:
    down = "rules: [{alert: Down, expr: server.up < 1}]"
    assert json.loads(replayed(config, "--step", "5m", text=down).stdout)["alerts"] == 1


def test_more_alerts_than_allowed_is_1(config: Path) -> None:
    assert replayed(config, "--max-alerts", "3").exit_code == 0
    many = replayed(config, "--max-alerts", "2")
    assert many.exit_code == 1
    assert many.stderr.endswith("3 alerts, more than 2\n")


def test_people_read_a_table(config: Path) -> None:
    result = replayed(config, "--format", "text")
    assert "DiskCritical" in result.stdout
    assert "for 11m: prod one disk=d" in result.stdout
    assert result.stdout.endswith("3 alerts of 4 rules\n")


def test_parts_of_the_history_are_one_life(config: Path) -> None:
    whole = json.loads(replayed(config).stdout)
    fine = json.loads(replayed(config, "--step", "1s").stdout)
    assert [one["rule"] for one in fine["episodes"]] == [one["rule"] for one in whole["episodes"]]
    assert fine["alerts"] == whole["alerts"]


def test_another_cluster_is_64_and_an_empty_store_1(config: Path, tmp_path: Path) -> None:
    assert replayed(config, "--cluster", "prod").exit_code == 0
    other = replayed(config, "--cluster", "prot")
    assert other.exit_code == 64
    assert "did you mean 'prod'?" in other.stderr
    none = write(tmp_path / "none.yaml", f"data_dir: {tmp_path}/none")
    assert replayed(none).exit_code == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ["--from", "soon"],
        ["--from", "nan"],
        ["--from", "2h", "--to", "3h"],
        ["--from", "2h", "--step", "0s"],
        ["--from", "2h", "--step", "100ms"],
        ["--from", "2h", "--max-alerts", "-1"],
        [],
    ],
)
def test_a_wrong_call_is_64(wrong: list[str]) -> None:
    assert rules("backtest", *wrong).exit_code == 64


@pytest.mark.parametrize(
    "begin", [str(DAY), "2026-09-22T00:00:00Z", "2026-09-22T02:00:00+02:00", "2026-09-22"]
)
def test_times_are_written_in_several_ways(config: Path, begin: str) -> None:
    found = json.loads(replayed(config, "--from", begin).stdout)
    assert found["from"] == "2026-09-22T00:00:00Z"

"""What `rules test` says happens is what happens in the alerter, whatever the values."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clustersight.rules.loader import load
from clustersight.rules.rule import Rule
from clustersight.rules.testing.feeding import Fed
from clustersight.rules.testing.life import Life
from clustersight.rules.testing.notation import Gap, Point
from clustersight.rules.testing.sight import TestSight
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from tests.alerter.harness import INTERVAL, Harness, Sample, rules

DISKS = ("a", "b")
RULES = rules(
    {"alert": "Disk", "expr": "disk.usage_pct > 80", "resolve_threshold": 70, "for": "20s"}
    | {"inhibited_by": ["Down"], "labels": {"team": "data"}},
    {"alert": "DiskCritical", "expr": "disk.usage_pct > 90", "severity": "critical", "raises": "Disk"}
    | {"keep_firing_for": "30s", "no_data": "alert"},
    {"alert": "Down", "expr": "server.up == 0", "severity": "critical", "keep_firing_for": "10s"},
)
Values = st.lists(
    st.tuples(
        st.sampled_from([Gap.MISSING, Gap.STALE, 50.0, 75.0, 85.0, 95.0]),
        st.sampled_from([Gap.MISSING, Gap.STALE, 50.0, 85.0, 95.0]),
        st.sampled_from([0.0, 1.0, 1.0]),
    ),
    min_size=1,
    max_size=25,
)


@contextmanager
def alerter(template: Path, folder: Path) -> Iterator[Harness]:
    """One on a new store, whose messages nobody sends."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(template, folder / DATABASE_FILE)
    database = Database(sqlite_url(folder))
    found = Harness(folder, database, rules=RULES)
    found.cluster("c", "h")
    try:
        yield found
    finally:
        found.stop()
        database.close()


def loaded(folder: Path) -> tuple[Rule, ...]:
    (folder / "r.yaml").write_text(RULES)
    found = load([folder / "r.yaml"])
    assert not found.problems
    return found.rules


def of_alerter(found: Harness, steps: list[tuple[Point, ...]]) -> Iterator[Any]:
    """What fires after each pass."""
    for *disks, up in steps:
        found.clock.pass_(INTERVAL)
        found.feed(Sample("collector", [("clickhouse_up", [], float(up))]), cluster="c", host="h")
        found.feed(visit(disks), cluster="c", host="h")
        found.alerter.working.tick()
        yield {
            (
                one.rule_name,
                one.severity,
                tuple(sorted(one.detail["labels"].items())),
                one.detail["inhibited_by"],
            )
            for one in found.alerts()
            if one.status != "resolved"
        }


def visit(disks: list[Point]) -> Sample:
    """All missing: the run failed."""
    if all(value is Gap.MISSING for value in disks):
        return Sample("disk", [], status="error")
    known = [(name, value) for name, value in zip(DISKS, disks, strict=True) if not isinstance(value, Gap)]
    return Sample("disk", [("clickhouse_disk_usage_ratio", [name], value / 100) for name, value in known])


def of_tests(rules: tuple[Rule, ...], steps: list[tuple[Point, ...]]) -> Iterator[Any]:
    columns = list(zip(*steps, strict=True))
    fed = [
        Fed("c", "h", (("disk", name),), "disk.usage_pct", "disk", column)
        for name, column in zip(DISKS, columns, strict=False)
    ]
    sight = TestSight([*fed, Fed("c", "h", (), "server.up", "collector", columns[-1])], INTERVAL)
    life = Life(rules, sight, INTERVAL)
    for number in range(len(steps)):
        life.step(number * INTERVAL)
        yield {
            (one.name, one.rule.severity.value, labels(one.labels), one.inhibited_by)
            for one in life.open.values()
        }


def labels(found: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in found.items() if name != "severity"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(Values)
@example([(95.0, 50.0, 1.0)] * 3 + [(Gap.MISSING, Gap.MISSING, 1.0)] * 5 + [(Gap.STALE, 85.0, 0.0)] * 4)
@example([(85.0, 50.0, 0.0)] * 5 + [(85.0, 50.0, 1.0)] * 4)  # what inhibits ends
def test_alerts_are_those_of_the_alerter(
    migrated_file: Path, tmp_path: Path, steps: list[tuple[Point, ...]]
) -> None:
    with alerter(migrated_file, tmp_path / "store") as found:
        real = list(of_alerter(found, steps))
    assert list(of_tests(loaded(tmp_path), steps)) == real

"""The store's history: how fast it is written, rolled up and read, and what it takes on disk."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.progress import say
from clustersight.history import ClusterName, StoredHistory, Wanted, step_for
from clustersight.metrics import Kind, Metric, Rate, per_minute
from clustersight.store import migrations
from clustersight.store.database import Database, sqlite_url
from clustersight.store.housekeeping import Housekeeping
from clustersight.store.retention import Retention
from clustersight.store.samples import PanelHistory
from clustersight.store.series import Key, labels_text
from clustersight.store.tiers import Tier, set_done
from tests.history.recording import DAY, Recording

NAME = "history"
# Bounds: issue 3, "Speed and memory".
TIMES_REAL_TIME = 5
ONE_SERIES_MS = 100.0
FIFTY_SERIES_MS = 500.0
CONSTANT_MB = 100.0
BYTES_PER_SAMPLE = 28.0

INTERVAL_SECONDS = 30
HOUR_SECONDS = 3600
WEEK_SECONDS = 7 * 86_400
NODES = 20
SERIES = 2000
# Counters move with each visit; most of what panels say of tables does not.
MOVING_SHARE = 0.33
# "Hardly moves": each of them once in two hours, at another time than its neighbours.
CHANGES_A_VISIT = SERIES * INTERVAL_SECONDS // (2 * HOUR_SECONDS)
MOVING_SERIES = 50
READS = 20
KEPT = Retention(raw_days=8, hourly_days=30, daily_days=365)

PARTS = Metric("clickhouse_table_parts", "", ("database", "table"))
PRESSURE = Metric("clickhouse_table_parts_pressure_ratio", "", ("database", "table"))
ERRORS = Metric("clickhouse_errors_total", "", ("error",), kind=Kind.COUNTER)
RATE = per_minute("errors.per_min", ERRORS.name, "", ("error",))


def measure(place: Place) -> Iterator[Figure]:
    """On SQLite, through the exporter's writer and housekeeping."""
    yield from _writing(place.folder / "history-of-a-fleet")
    yield from _a_week(place.folder / "history-of-a-week")


def _figure(name: str, unit: str, values: Sequence[float], bound: float | None = None) -> Figure:
    return Figure(NAME, name, unit, tuple(values), bound)


def _recording(folder: Path) -> Recording:
    folder.mkdir()
    database = Database(sqlite_url(folder))
    migrations.migrate(database)
    return Recording(database)


def _keys(metric: Metric, number: int) -> list[Key]:
    return [
        Key(metric.name, labels_text({"database": f"shop_{n % 17}", "table": f"orders_2026_{n:04}"}))
        for n in range(number)
    ]


def _writing(folder: Path) -> Iterator[Figure]:
    """An hour of a fleet and five minutes more, in which that hour is rolled up."""
    say(f"history: an hour of {NODES} nodes of {SERIES} series, a third of them moving")
    recording, chance = _recording(folder), random.Random(3)
    housekeeping, steps = Housekeeping(recording.database), []
    keys = _keys(PARTS, SERIES)
    nodes = {f"ch{n:02}.internal": [float(chance.randrange(400)) for _ in keys] for n in range(NODES)}
    began, rows, length = time.monotonic(), 0, HOUR_SECONDS + 300
    for at in range(DAY, DAY + length, INTERVAL_SECONDS):
        for host, values in nodes.items():
            for n in range(int(SERIES * MOVING_SHARE)):
                values[n] += chance.random()
            run = PanelHistory("parts", ok=True, values=dict(zip(keys, values, strict=True)))
            rows += recording.visit(at, run, host=host)
        steps += _keep_house(housekeeping, at)
    took = time.monotonic() - began
    yield _figure("an hour of 20 nodes of 2000 series, written and rolled up", "s",
                  [took * HOUR_SECONDS / length], HOUR_SECONDS / TIMES_REAL_TIME)  # fmt: skip
    yield _figure("  times real time", "", [length / took])
    yield _figure("  rows a second", "", [rows / took])
    yield _figure("  a step of housekeeping", "ms", [1000 * step for step in steps])
    recording.database.close()


def _keep_house(housekeeping: Housekeeping, now: int) -> list[float]:
    """Everything that is due; returns the seconds of each step."""
    steps = []
    while True:
        began = time.monotonic()
        if not housekeeping.step(now, KEPT):
            return steps
        steps.append(time.monotonic() - began)


def _a_week(folder: Path) -> Iterator[Figure]:
    say(f"history: a week of {SERIES} series that hardly move, then of {MOVING_SERIES} that always do")
    recording, chance = _recording(folder), random.Random(7)
    keys = _keys(PARTS, SERIES)
    values = {one: float(chance.randrange(400)) for one in keys}

    def hardly() -> dict[Key, float]:
        for one in chance.sample(keys, CHANGES_A_VISIT):
            values[one] = float(chance.randrange(400))
        return values

    _write_week(recording, "parts", hardly)
    constant_bytes = _size(recording)
    yield _figure("2000 series that hardly move, for 7 days", "MB", [constant_bytes / 1e6], CONSTANT_MB)

    gauges = _keys(PRESSURE, MOVING_SERIES // 2)
    counters = [Key(ERRORS.name, labels_text({"error": f"E{n}"})) for n in range(MOVING_SERIES // 2)]
    moving = dict.fromkeys([*gauges, *counters], 0.0)

    def always() -> dict[Key, float]:
        for one in gauges:
            moving[one] = chance.random()
        for one in counters:
            moving[one] += 1 + chance.randrange(1000)
        return moving

    _write_week(recording, "errors", always)
    samples = MOVING_SERIES * WEEK_SECONDS // INTERVAL_SECONDS
    moved = (_size(recording) - constant_bytes) / samples
    yield _figure(
        "a sample of a series that always moves, with its roll-ups", "bytes", [moved], BYTES_PER_SAMPLE
    )
    yield from _reading(recording)
    recording.database.close()


def _write_week(recording: Recording, panel: str, values: Callable[[], dict[Key, float]]) -> None:
    """As fast as it goes: the visits of an hour are one transaction here."""
    for hour in range(DAY, DAY + WEEK_SECONDS, HOUR_SECONDS):
        with recording.database.begin() as db:
            for at in range(hour, hour + HOUR_SECONDS, INTERVAL_SECONDS):
                run = PanelHistory(panel, ok=True, values=values())
                # A host of its own: the writer forgets what a host has later than now.
                written = recording.writer.write(db, recording.cluster_id, f"{panel}.internal", at, [run])
                recording.writer.confirm(written)
    with recording.database.begin() as db:
        for tier in (Tier.HOURLY, Tier.DAILY):
            set_done(db, tier, DAY)  # the second week is written into the time of the first
    # The last hour and a half is not rolled up yet, as it is for whoever asks.
    _keep_house(Housekeeping(recording.database), DAY + WEEK_SECONDS - HOUR_SECONDS // 2)


def _size(recording: Recording) -> int:
    """Of the file, when everything is in it."""
    with recording.database.read() as db:
        db.exec_driver_sql("ROLLBACK")
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.exec_driver_sql("BEGIN")
    file = recording.database.file
    return file.stat().st_size if file else 0


def _reading(recording: Recording) -> Iterator[Figure]:
    say("history: reading ranges")
    history, cluster = StoredHistory(recording.database), ClusterName(recording.cluster_id, "bench")
    end = DAY + WEEK_SECONDS

    def timed(
        metric: Metric | Rate, seconds: int, series: int, labels: Mapping[str, str] | None = None
    ) -> list[float]:
        step = step_for(seconds, INTERVAL_SECONDS)
        wanted = Wanted(cluster, metric, end - seconds, end, step, labels=labels or {})
        taken = []
        for _ in range(READS):
            began = time.monotonic()
            answer = history.range(wanted)
            taken.append(1000 * (time.monotonic() - began))
            assert len(answer.series) == series, answer.total
        return taken

    one = {"database": "shop_5", "table": "orders_2026_0005"}
    week, day = WEEK_SECONDS, 86_400
    yield _figure("7 days of one series", "ms", timed(PARTS, week, 1, one), ONE_SERIES_MS)
    yield _figure(
        "7 days of one series that always moves", "ms", timed(PRESSURE, week, 1, one), ONE_SERIES_MS
    )
    yield _figure("7 days of the 50 worst of 2000 series", "ms", timed(PARTS, week, 50), FIFTY_SERIES_MS)
    yield _figure("7 days of a rate of 25 counters", "ms", timed(RATE, week, 25), FIFTY_SERIES_MS)
    yield _figure("24 hours of the 50 worst of 2000 series", "ms", timed(PARTS, day, 50))
    yield _figure("24 hours of 25 series that always move", "ms", timed(PRESSURE, day, 25))
    yield _figure("24 hours of a rate of 25 counters", "ms", timed(RATE, day, 25))

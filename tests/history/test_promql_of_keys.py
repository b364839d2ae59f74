"""The PromQL of computed rule keys says in a real Prometheus what our own store says."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from clustersight.history import ClusterName, promql
from clustersight.history.now import rate_values
from clustersight.metric_keys import metric_keys
from clustersight.metrics import Metric, Rate, Sample
from clustersight.panels import broken_parts, disk, distribution, queries
from clustersight.self_metrics import LAST_SUCCESS, PANEL_INTERVAL
from clustersight.store import migrations
from clustersight.store.database import Database, sqlite_url
from clustersight.store.samples import PanelHistory
from clustersight.store.series import Key
from tests.conftest import packages_needed, running
from tests.history.recording import Recording, key
from tests.servers.process import program
from tests.servers.prometheus import PACKAGE, Prometheus

HOUR = 3600
HOURS = 26
SPACING = 120
VISITS = HOURS * HOUR // SPACING
KEYS = (
    "broken_parts.new_24h",
    "distribution.grown_30m",
    "queries.p95_times_usual",
    "disk.full_in_hours",
)
Values = dict[tuple[str, ...], float]


def said(number: int, host: str) -> Iterator[Sample]:
    """What a visit finds, in base units; the last two hours are worse."""
    late = number >= VISITS - 2 * HOUR // SPACING
    for reason in broken_parts.CLASSES:
        yield Sample(broken_parts.ALL, (reason,), 9.0)
    yield Sample(broken_parts.DETACHED, ("shop", "old", "broken"), 4.0 if late else 3.0)
    yield Sample(broken_parts.DETACHED, ("shop", "calm", "broken"), 2.0 if late else 3.0)
    if late:
        yield Sample(broken_parts.DETACHED, ("shop", "new", "unexpected"), 5.0)
    yield Sample(distribution.ALL_FILES, (), 9.0)
    yield Sample(distribution.FILES, ("shop", "grows"), 2.0 + number)
    yield Sample(distribution.FILES, ("shop", "shrinks"), 2.0 * VISITS - number)
    if number >= VISITS - 10:
        yield Sample(distribution.FILES, ("shop", "new"), 5.0)
    for quantile in ("0.5", "0.95", "0.99"):
        yield Sample(queries.DURATION, (quantile,), 2.0 if late else 0.4 + number % 3 / 100)
    if host == "one":  # the other one has too few queries
        yield Sample(queries.FAULT_RATIO, (), 0.0)
    yield Sample(disk.USAGE, ("filling",), 0.5 + 0.4 * number / VISITS)
    yield Sample(disk.USAGE, ("emptying",), 0.9 - 0.1 * number / VISITS)
    yield Sample(disk.USAGE, ("roomy",), 0.1 + 0.4 * number / VISITS)


def openmetrics(end: int) -> str:
    families: dict[str, dict[str, list[str]]] = {}
    for number in range(VISITS + 1):
        at = end - (VISITS - number) * SPACING
        for host in ("one", "two"):
            runner = [
                Sample(LAST_SUCCESS, ("disk",), float(at // 300 * 300)),
                Sample(PANEL_INTERVAL, ("disk",), 30.0),
            ]
            for metric, labels, value in (*said(number, host), *runner):
                name = promql.selector(metric.name, "main", host, _labels(metric, labels))
                families.setdefault(metric.name, {}).setdefault(name, []).append(f"{name} {value!r} {at}")
    lines = [
        line
        for name, series in families.items()
        for line in [f"# TYPE {name} unknown", *(one for some in series.values() for one in some)]
    ]
    return "\n".join([*lines, "# EOF", ""])


def _labels(metric: Metric, labels: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(metric.labels, labels, strict=True))


@pytest.fixture(scope="module")
def end() -> int:
    return int(time.time()) // HOUR * HOUR


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, end: int) -> Iterator[Prometheus]:
    """One that scrapes nobody, with a past."""
    folder = tmp_path_factory.mktemp("past")
    with packages_needed():
        promtool = program("promtool", PACKAGE)
        server = Prometheus(folder, {"global": {"scrape_interval": "1h"}})
    (folder / "past.txt").write_text(openmetrics(end))
    make = (promtool, "tsdb", "create-blocks-from", "openmetrics")
    subprocess.run([*make, str(folder / "past.txt"), str(folder / "data")], check=True, capture_output=True)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, end: int) -> Iterator[Recording]:
    with Database(sqlite_url(tmp_path_factory.mktemp("stored"))) as database:
        migrations.migrate(database)
        recording = Recording(database)
        with database.begin() as db:
            for number in range(VISITS + 1):
                at = end - (VISITS - number) * SPACING
                for host in ("one", "two"):
                    run = PanelHistory("all", ok=True, values=_values(said(number, host)))
                    recording.writer.confirm(
                        recording.writer.write(db, recording.cluster_id, host, at, [run])
                    )
        yield recording


def _values(samples: Iterator[Sample]) -> dict[Key, float]:
    return {
        key(metric.name, **_labels(metric, labels)): value * metric.per_base_unit
        for metric, labels, value in samples
        if metric.history
    }


def asked(server: Prometheus, rate: Rate, end: int) -> Values:
    """By host and the values of the labels; there must be no others."""
    found = server.get("query", query=rate.expr, time=str(end))["result"]
    assert all(set(one["metric"]) - {"__name__"} == {"cluster", "host", *rate.labels} for one in found)
    return {
        tuple(one["metric"][name] for name in ("host", *rate.labels)): float(one["value"][1]) for one in found
    }


def _rate(name: str) -> Rate:
    rate = metric_keys()[name].source
    assert isinstance(rate, Rate)
    return rate


@pytest.mark.parametrize("name", KEYS)
def test_prometheus_and_the_store_say_the_same(
    prometheus: Prometheus, recording: Recording, end: int, name: str
) -> None:
    rate = _rate(name)
    cluster = ClusterName(recording.cluster_id, "main")
    stored = {
        (one.host, *(one.labels[label] for label in rate.labels)): one.value
        for one in rate_values(recording.database, cluster, rate, end)
    }
    assert stored
    assert asked(prometheus, rate, end) == pytest.approx(stored, rel=0.05)


def test_they_say_what_is_true(prometheus: Prometheus, end: int) -> None:
    new, grown, slow, full, age = (
        asked(prometheus, _rate(name), end) for name in (*KEYS, "collector.age_intervals")
    )
    assert new["one", "shop", "new", "unexpected"] == 5
    assert new["one", "shop", "old", "broken"] == 1
    assert new["one", "shop", "calm", "broken"] == 0
    # Half an hour is 15 visits.
    assert [grown["one", "shop", table] for table in ("grows", "shrinks", "new")] == [15, 0, 5]
    assert slow == {("one",): pytest.approx(2 / 0.41)}
    assert full["one", "filling"] == pytest.approx(0.1 / 0.4 * HOURS, rel=0.01)
    assert {disk for _, disk in full} == {"filling"}
    assert age["one", "disk"] == 0


@pytest.mark.parametrize("rate", [k.source for k in metric_keys().values() if isinstance(k.source, Rate)])
def test_every_expression_is_promql(prometheus: Prometheus, end: int, rate: Rate) -> None:
    asked(prometheus, rate, end)

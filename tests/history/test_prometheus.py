"""History from a real Prometheus: the same answers as from our own store, and what goes wrong with it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from clustersight import self_metrics
from clustersight.history import (
    ClusterName,
    History,
    HistoryUnavailable,
    PrometheusHistory,
    StoredHistory,
    Wanted,
    history_of,
    prometheus,
    promql,
)
from clustersight.metrics import Kind, Metric, Rate, Reading, Unit, per_minute
from clustersight.settings.model import HistorySettings
from clustersight.store.database import Database
from clustersight.store.samples import PanelHistory
from clustersight.store.series import Key
from tests.conftest import packages_needed, running
from tests.history.recording import Recording, key
from tests.servers.misbehaving import ClosingPeer, DrippingPeer, GarbagePeer, Peer, SilentPeer
from tests.servers.process import free_port, program, wait_until
from tests.servers.prometheus import PACKAGE, Prometheus

DISK = Metric("clickhouse_disk_usage_ratio", "", ("disk",), unit=Unit.PERCENT)
ERRORS = Metric("clickhouse_errors_total", "", ("error",), kind=Kind.COUNTER)
INITIAL = Metric("clickhouse_initial_queries_total", "", kind=Kind.COUNTER)
FAILED = Metric("clickhouse_failed_initial_queries_total", "", kind=Kind.COUNTER)
MISMATCH = Metric("clickhouse_version_mismatch", "", cluster_only=True)
PER_MINUTE = per_minute("errors.per_min", ERRORS.name, "", ("error",))
ALL_PER_MINUTE = per_minute("errors.all_per_min", ERRORS.name, "")
FAILED_PCT = Rate("queries.failed_pct", Unit.PERCENT, "", (INITIAL.name, FAILED.name), "…", at_least=50)
RESTARTED = Rate(
    "restarted", Unit.COUNT, "", (INITIAL.name,), "…", window_seconds=600, reading=Reading.RESETS
)

HOUR = 3600
SPACING = 30
HOURS = 30
# A name that would end the string of a matcher.
NASTY = 'quo"te\\back\nline'
Sample = tuple[str, Metric, tuple[str, ...], float]


def said(number: int) -> Iterator[Sample]:
    """What a visit finds: host, metric, labels, value in the base unit."""
    for host, offset in (("one", 0.0), ("two", 0.1)):
        usage = 0.3 + offset + (number % 240) / 1000
        yield host, DISK, ("default",), usage
        yield host, DISK, (NASTY,), 0.05 + offset
        if 1200 <= number < 2400:
            yield host, DISK, ("late",), 0.9 + offset / 2
        yield host, ERRORS, ("NETWORK",), 2.0 * number + 500 * offset
        yield host, ERRORS, ("MEMORY",), float(number // 100)
        # The server starts anew each 970 visits.
        yield host, INITIAL, (), 100.0 * (number % 970)
        yield host, FAILED, (), 10.0 * (number % 970)
        yield host, self_metrics.UP, (), 1.0
    yield "", MISMATCH, (), float(number % 2)


def openmetrics(visits: Mapping[int, int]) -> str:
    """The visits (number by time) as promtool reads them: by family, series and time."""
    families: dict[str, dict[str, list[str]]] = {}
    for at, number in visits.items():
        for host, metric, labels, value in said(number):
            selected = promql.selector(
                metric.name,
                "main",
                host or None,
                dict(zip(metric.labels, labels, strict=True)),
            )
            lines = families.setdefault(metric.name, {}).setdefault(selected, [])
            lines.append(f"{selected} {value!r} {at}")
    text = []
    for name, series in families.items():
        # The type says nothing here, and a counter's family is its name without _total.
        text.append(f"# TYPE {name} unknown")
        text += [line for lines in series.values() for line in lines]
    return "\n".join([*text, "# EOF", ""])


class Filled(Prometheus):
    """A Prometheus that scrapes nobody, with a past."""

    def __init__(self, folder: Path, visits: Mapping[int, int]) -> None:
        super().__init__(folder, {"global": {"scrape_interval": "1h"}})
        file = folder / "past.txt"
        file.write_text(openmetrics(visits))
        make = (program("promtool", PACKAGE), "tsdb", "create-blocks-from", "openmetrics")
        done = subprocess.run(
            [*make, str(file), str(folder / "data")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def end() -> int:
    """The end of the past: an hour that is over. Prometheus drops what is older than a fortnight."""
    return int(time.time()) // HOUR * HOUR


@pytest.fixture(scope="module")
def visits(end: int) -> dict[int, int]:
    return {end - HOURS * HOUR + number * SPACING: number for number in range(HOURS * HOUR // SPACING)}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, visits: dict[int, int]) -> Iterator[Filled]:
    with packages_needed():
        server = Filled(tmp_path_factory.mktemp("filled"), visits)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def stored(
    tmp_path_factory: pytest.TempPathFactory, visits: dict[int, int]
) -> Iterator[tuple[Recording, History]]:
    from clustersight.store import migrations
    from clustersight.store.database import sqlite_url
    from clustersight.store.samples import HistoryWriter

    with Database(sqlite_url(tmp_path_factory.mktemp("stored"))) as database:
        migrations.migrate(database)
        recording, writer = Recording(database), HistoryWriter()
        for some in _in_hundreds(list(visits.items())):
            with database.begin() as db:
                for at, number in some:
                    for host, values in by_host(said(number)).items():
                        run = PanelHistory("all", ok=True, values=values)
                        writer.confirm(writer.write(db, recording.cluster_id, host, at, [run]))
        yield recording, StoredHistory(database)


def _in_hundreds(items: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    for start in range(0, len(items), 100):
        yield items[start : start + 100]


def by_host(samples: Iterator[Sample]) -> dict[str, dict[Key, float]]:
    found: dict[str, dict[Key, float]] = {}
    for host, metric, labels, value in samples:
        one = key(metric.name, **dict(zip(metric.labels, labels, strict=True)))
        found.setdefault(host, {})[one] = value * metric.per_base_unit
    return found


Both = tuple[History, History, ClusterName]


@pytest.fixture(scope="module")
def both(stored: tuple[Recording, History], filled: Filled) -> Both:
    """Our store and Prometheus, which hold the same past."""
    recording, ours = stored
    theirs = PrometheusHistory(HistorySettings(prometheus_url=f"{filled.url}/"))
    return ours, theirs, ClusterName(recording.cluster_id, "main")


@pytest.mark.parametrize("hours", [1, 6, 24])
@pytest.mark.parametrize("lowest", [False, True])
@pytest.mark.parametrize("metric", [DISK, MISMATCH])
def test_gauges_are_the_same(both: Both, end: int, metric: Metric, hours: int, lowest: bool) -> None:
    ours, theirs, cluster = both
    step = max(60, hours * 180)
    start = end - hours * HOUR - HOUR
    wanted = Wanted(cluster, metric, start, start + hours * HOUR, step, lowest=lowest)
    assert_same(ours, theirs, wanted, near=0.21 if metric is DISK else 0)


@pytest.mark.parametrize("metric", [PER_MINUTE, ALL_PER_MINUTE, FAILED_PCT, RESTARTED])
@pytest.mark.parametrize("hours", [1, 20])
def test_rates_are_the_same(both: Both, end: int, metric: Rate, hours: int) -> None:
    ours, theirs, cluster = both
    step = 60 if hours == 1 else 1800
    start = end - hours * HOUR - HOUR
    assert_same(ours, theirs, Wanted(cluster, metric, start, start + hours * HOUR, step), near=0.45)


def assert_same(ours: History, theirs: History, wanted: Wanted, near: float) -> None:
    expected, found = ours.range(wanted), theirs.range(wanted)
    assert found.total == expected.total > 0
    assert [(one.host, one.labels) for one in found.series] == [
        (one.host, one.labels) for one in expected.series
    ]
    for one, other in zip(found.series, expected.series, strict=True):
        assert [time for time, _ in one.points] == [time for time, _ in other.points]
        known = [point for point in other.points if point[1] is not None]
        assert [point for point in one.points if point[1] is not None] == [
            (time, pytest.approx(value, abs=near, rel=0.11)) for time, value in known
        ]


def test_the_worst_stay_and_the_others_count(both: Both, end: int) -> None:
    ours, theirs, cluster = both
    for lowest in (False, True):
        wanted = Wanted(cluster, DISK, end - 20 * HOUR, end - 10 * HOUR, 1800, limit=3, lowest=lowest)
        assert_same(ours, theirs, wanted, near=2.0)
    assert theirs.range(Wanted(cluster, PER_MINUTE, end - 2 * HOUR, end, 600, limit=2)).total == 4


def test_host_and_labels_narrow_whatever_they_hold(both: Both, end: int) -> None:
    _, theirs, cluster = both
    wanted = Wanted(cluster, DISK, end - HOUR, end, 600, host="two", labels={"disk": NASTY})
    [one] = theirs.range(wanted).series
    assert (one.host, one.labels) == ("two", {"disk": NASTY})
    assert [value for _, value in one.points] == [pytest.approx(15.0)] * 6


def test_a_series_that_ended_is_a_gap(both: Both, end: int) -> None:
    ours, theirs, cluster = both
    wanted = Wanted(cluster, DISK, end - 22 * HOUR, end - 8 * HOUR, 1800, host="one", labels={"disk": "late"})
    known = [
        sum(value is not None for _, value in one.range(wanted).series[0].points) for one in (ours, theirs)
    ]
    assert known == [20, 20]


def test_what_is_asked_of_a_moment_is_the_same(both: Both, end: int) -> None:
    until = end - HOUR
    answers = []
    for one in both[:2]:
        readings = {
            "increase": one.increase(both[2], [ERRORS, FAILED], 2 * HOUR, until),
            "rise": one.rise(both[2], [DISK], HOUR, until),
            "new": one.rise(both[2], [DISK], 15 * HOUR, end - 12 * HOUR),
            "median": one.median(both[2], DISK, 3 * HOUR, until),
            "latest": one.latest(both[2], [DISK, MISMATCH], until),
        }
        answers.append(
            {
                (name, r.host, r.metric, *sorted(r.labels.items())): r.value
                for name, found in readings.items()
                for r in found
            }
        )
    ours, theirs = answers
    assert theirs.keys() == ours.keys()
    assert theirs == pytest.approx(ours, rel=0.02, abs=0.2)
    assert ours["new", "one", DISK.name, ("disk", "late")] == pytest.approx(90.0)


def test_an_unfinished_step_counts_for_as_long_as_it_lasted(both: Both, end: int) -> None:
    _, theirs, cluster = both
    wanted = Wanted(
        cluster, PER_MINUTE, end - 3 * HOUR, end - HOUR - 600, HOUR, host="one", labels={"error": "NETWORK"}
    )
    [one] = theirs.range(wanted).series
    assert [value for _, value in one.points] == [pytest.approx(4.0, rel=0.01)] * 2


def test_a_step_without_a_scrape_has_the_value_of_the_last(both: Both, end: int) -> None:
    ours, theirs, cluster = both
    assert_same(ours, theirs, Wanted(cluster, DISK, end - 2 * HOUR, end - HOUR, 10, host="one"), near=0.01)


def test_a_share_of_too_little_is_absent(both: Both, end: int) -> None:
    for history in both[:2]:
        of_many = replace(FAILED_PCT, at_least=1_000_000)
        assert history.range(Wanted(both[2], of_many, end - 2 * HOUR, end - HOUR, 600)) == ([], 0)


def test_where_history_begins_nothing_is_new(both: Both, end: int) -> None:
    ours, theirs, cluster = both
    answers = [one.rise(cluster, [DISK], 40 * HOUR, end - HOUR) for one in (ours, theirs)]
    expected, found = ({(r.host, r.labels["disk"]): r.value for r in some} for some in answers)
    assert found == pytest.approx(expected)
    assert found["one", NASTY] == 0


def test_what_is_not_there_is_absent(both: Both, end: int) -> None:
    _, theirs, _ = both
    nobody = ClusterName("", "nobody")
    assert theirs.range(Wanted(nobody, DISK, end - HOUR, end, 60)) == ([], 0)
    assert theirs.latest(nobody, [DISK], end) == []


class Page(BaseHTTPRequestHandler):
    """A page with one counter, which grows with each scrape."""

    scrapes = 0

    def do_GET(self) -> None:
        type(self).scrapes += 1
        line = promql.selector(ERRORS.name, "main", "one", {"error": NASTY})
        body = f"# TYPE {ERRORS.name} counter\n{line} {self.scrapes}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_what_prometheus_scraped_is_read(own_prometheus: Callable[..., Prometheus]) -> None:
    """`job` and `instance`, which scraping adds, are no labels of ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        target = {"targets": [f"127.0.0.1:{server.server_port}"]}
        config = {"job_name": "c", "scrape_interval": "1s", "honor_labels": True, "static_configs": [target]}
        started = own_prometheus({"scrape_configs": [config]})
        history = PrometheusHistory(HistorySettings(prometheus_url=started.url))
        cluster = ClusterName("", "main")

        def increased() -> bool:
            found = history.increase(cluster, [ERRORS], 60, int(time.time()) + 1)
            return bool(found) and found[0].value > 1

        wait_until(increased, 30, "Prometheus has scraped the page three times")
        now = int(time.time())
        [one] = history.latest(cluster, [ERRORS], now)
        assert (one.host, one.labels) == ("one", {"error": NASTY})
        [points] = history.range(Wanted(cluster, ERRORS, now - 60, now + 1, 5)).series
        assert points.labels == {"error": NASTY}
        server.shutdown()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds takes a half."""
    monkeypatch.setattr(prometheus, "ANSWER_SECONDS", 0.5)


def ask(url: str, **options: object) -> str:
    """The error of asking there."""
    settings = HistorySettings(prometheus_url=url, **options)  # type: ignore[arg-type]
    with pytest.raises(HistoryUnavailable) as caught:
        PrometheusHistory(settings).latest(ClusterName("", "main"), [DISK], 1000)
    return str(caught.value)


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (SilentPeer(), "no answer within"),
        (DrippingPeer(), "no answer within"),
        (ClosingPeer(), "it cannot be reached, or it hangs up"),
        (GarbagePeer(), "it cannot be reached, or it hangs up"),
        (GarbagePeer(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n<html>no"), "is not that of Prometheus"),
        (GarbagePeer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull"), "is not that of Prometheus"),
        (GarbagePeer(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), "refuses our credentials (401)"),
        (GarbagePeer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnone"), "it cannot be reached"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.usefixtures("quick")
def test_a_history_that_does_not_answer_is_one_clear_error(peer: Peer, reason: str) -> None:
    with peer:
        text = ask(f"http://me@127.0.0.1:{peer.port}/prom", password=SecretStr("hunter2"))
    assert text.startswith(f"the history at 127.0.0.1:{peer.port}: ")
    assert reason in text
    assert "hunter2" not in text
    assert "me@" not in text


def test_nobody_there_is_one_clear_error() -> None:
    assert "cannot be reached" in ask(f"http://127.0.0.1:{free_port()}")


class Elsewhere(GarbagePeer):
    """Sends its visitors to another address, and keeps what they said."""

    def __init__(self, port: int) -> None:
        super().__init__(
            f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\r\n".encode()
        )
        self.heard = b""

    def behave(self, connection: object) -> None:
        self.heard = connection.recv(65536)  # type: ignore[attr-defined]
        super().behave(_Answering(connection))  # type: ignore[arg-type]


class _Answering:
    """A connection whose question was read already."""

    def __init__(self, connection: object) -> None:
        self._connection = connection

    def recv(self, _: int) -> bytes:
        return b""

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_credentials_go_to_the_address_they_were_given_for() -> None:
    with ExitStack() as stack:
        other = stack.enter_context(SilentPeer())
        peer = stack.enter_context(Elsewhere(other.port))
        headers = {"X-Scope-OrgID": SecretStr("team")}
        text = ask(f"http://me@127.0.0.1:{peer.port}", password=SecretStr("hunter2"), headers=headers)
        assert "it redirects" in text
        assert b"Authorization: Basic bWU6aHVudGVyMg==" in peer.heard
        assert b"X-Scope-OrgID: team" in peer.heard
        assert other.accepted == 0


def test_a_wrong_question_is_told(filled: Filled) -> None:
    history = PrometheusHistory(HistorySettings(prometheus_url=filled.url))
    with pytest.raises(HistoryUnavailable, match="bad_data"):
        history.latest(ClusterName("", "main"), [Metric("not a name", "")], 1000)


def test_the_settings_choose(sqlite_database: Database) -> None:
    assert isinstance(history_of(HistorySettings(), sqlite_database), StoredHistory)
    chosen = history_of(HistorySettings(prometheus_url="http://127.0.0.1:9090"), sqlite_database)
    assert isinstance(chosen, PrometheusHistory)


def test_the_name_of_up_is_the_catalogues() -> None:
    assert self_metrics.UP.name == promql._UP

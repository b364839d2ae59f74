"""A Prometheus, or a proxy before it, that answers nonsense: one clear error, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from clustersight.history import ClusterName, HistoryUnavailable, PrometheusHistory, Wanted
from clustersight.metrics import Metric
from clustersight.settings.model import HistorySettings

DISK = Metric("clickhouse_disk_usage_ratio", "", ("disk",))
START = 1_790_035_200
STEP = 60
CLUSTER = ClusterName("", "main")
WANTED = Wanted(CLUSTER, DISK, START, START + 5 * STEP, STEP)
LABELS = {"host": "one", "disk": "default"}
# The first step ends a millisecond before the second begins.
AT = START + STEP - 0.001


def success(kind: str, *result: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def moment(value: Any, labels: Any = LABELS) -> bytes:
    return success("vector", {"metric": labels, "value": value})


def course(*values: Any, labels: Any = LABELS) -> bytes:
    return success("matrix", {"metric": labels, "values": values})


@contextmanager
def answering(of_moment: bytes, of_range: bytes) -> Iterator[PrometheusHistory]:
    """A history that is asked of a server which has two answers."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = of_range if self.path.startswith("/api/v1/query_range") else of_moment
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield PrometheusHistory(HistorySettings(prometheus_url=f"http://127.0.0.1:{server.server_port}"))
        finally:
            server.shutdown()


COUNT = moment([AT, "1"], {})
NONSENSE = {
    "html": b"<html>Please log in</html>",
    "empty": b"",
    "cut off": moment([AT, "1"])[:-4],
    "no utf-8": b'{"status": "\xff"}',
    "null": b"null",
    "list": b"[]",
    "text": b'"success"',
    "no data": b'{"status": "success"}',
    "data null": b'{"status": "success", "data": null}',
    "no kind": b'{"status": "success", "data": {"result": []}}',
    "odd kind": b'{"status": "success", "data": {"resultType": ["vector"], "result": []}}',
    "scalar": b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}',
    "result null": b'{"status": "success", "data": {"resultType": "vector", "result": null}}',
    "series null": success("vector", None),
    "no labels": success("vector", {"value": [AT, "1"]}),
    "odd labels": moment([AT, "1"], ["host"]),
    "labels of numbers": moment([AT, "1"], {"host": 1}),
    "no value": success("vector", {"metric": LABELS}),
    "value alone": moment("1"),
    "value null": moment(None),
    "no number": moment([AT, "much"]),
    "number null": moment([AT, None]),
    "too long": moment([AT, "1", "2"]),
    "too short": moment([AT]),
    "time of text": moment(["now", "1"]),
    "time too large": b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1'
    + b"0" * 400
    + b',"1"]}]}}',
    "no time": moment([float("nan"), "1"]),
    "error without words": b'{"status": "error"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(
    "ask",
    [lambda history: history.latest(CLUSTER, [DISK], START), lambda history: history.range(WANTED)],
    ids=["moment", "range"],
)
def test_nonsense_is_one_clear_error(body: bytes, ask: Callable[[PrometheusHistory], object]) -> None:
    with answering(body, body) as history, pytest.raises(HistoryUnavailable) as caught:
        ask(history)
    assert str(caught.value).endswith("the answer (200) is not that of Prometheus; check the URL")


@pytest.mark.parametrize(
    "body",
    [
        course([AT, "1"], [AT + STEP]),
        course([AT, "1", "2"]),
        course([AT, "x"]),
        course([None, "1"]),
        course("x"),
        course(),
        success("matrix", {"metric": LABELS, "value": [AT, "1"]}),
        success("matrix", {"metric": LABELS, "values": None}),
        success("matrix", [AT, "1"]),
        b"<html>",
    ],
)
def test_a_nonsensical_course_is_one_clear_error(body: bytes) -> None:
    with answering(COUNT, body) as history, pytest.raises(HistoryUnavailable, match="not that of Prometheus"):
        history.range(WANTED)


def test_a_time_out_of_step_is_one_clear_error() -> None:
    body = course([AT, "1"], [AT + STEP + 7, "2"])
    with answering(COUNT, body) as history, pytest.raises(HistoryUnavailable, match="not the end of a step"):
        history.range(WANTED)


def test_points_outside_the_range_are_left_out() -> None:
    outside = [[AT - STEP, "9"], [AT - 7 * STEP, "9"], [AT + 5 * STEP, "9"], [1e300, "9"], [-1, "9"]]
    with answering(COUNT, course(*outside, [AT, "1"], [AT + 4 * STEP, "NaN"])) as history:
        [one] = history.range(WANTED).series
    assert [value for _, value in one.points] == [1.0, None, None, None, None]


@pytest.mark.parametrize("count", ["NaN", "0", "+Inf"])
def test_a_count_of_nothing_is_nothing(count: str) -> None:
    with answering(moment([AT, count], {}), course()) as history:
        assert history.range(WANTED) == ([], 0)

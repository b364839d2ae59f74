"""History from Prometheus, or what speaks as it does: Thanos, Mimir, VictoriaMetrics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from clustersight.history import buckets, promql
from clustersight.history.answers import Found, found_in
from clustersight.history.contract import (
    Answer,
    ClusterName,
    HistoryUnavailable,
    Point,
    Reading,
    SeriesPoints,
    Wanted,
)
from clustersight.history.rates import drawn
from clustersight.metrics import Metric
from clustersight.settings.model import HistorySettings

CONNECT_SECONDS = 3.0
# A range of fifty series takes it a tenth of a second.
ANSWER_SECONDS = 10.0
# For a password without a user in the URL.
DEFAULT_USER = "clustersight"
# Fifty series of five hundred points are a megabyte.
MOST_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 16
_LONGEST_REASON = 200
# Part of a step: we ask for a millisecond less, which some round.
_MOST_OUT_OF_STEP = 0.01
_Place = tuple[str, tuple[str, ...]]


class PrometheusHistory:
    """The contract `History` over /api/v1/query and query_range. Raises HistoryUnavailable."""

    def __init__(self, settings: HistorySettings) -> None:
        url = urlsplit(settings.prometheus_url or "")
        user = unquote(url.username or "") or DEFAULT_USER
        self._place = url.netloc.rpartition("@")[2]
        self._base = urlunsplit(url._replace(netloc=self._place, query="", fragment="")).rstrip("/")
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        password = settings.password
        # Without an auth of ours, requests would look for one in ~/.netrc.
        self._auth: Callable[[requests.PreparedRequest], requests.PreparedRequest] = _as_it_is
        if password is not None:
            self._auth = HTTPBasicAuth(user, password.get_secret_value())

    def range(self, wanted: Wanted) -> Answer:
        total = self._count(wanted) if drawn(wanted.metric) else 0
        if not total:
            return Answer([], 0)
        found: dict[_Place, list[float | None]] = {}
        for place, number, value in self._points(wanted, too_many=total > wanted.limit):
            found.setdefault(place, [None] * len(wanted.times))[number] = value
        points = [_series(wanted, place, values) for place, values in found.items()]
        return buckets.answer(points, wanted, total if total > wanted.limit else None)

    def _count(self, wanted: Wanted) -> int:
        found = self._ask("query", f"count({promql.peaks(wanted)})", time=str(wanted.end))
        return int(found[0].value or 0) if found else 0

    def _points(self, wanted: Wanted, *, too_many: bool) -> Iterator[tuple[_Place, int, float | None]]:
        """Where each value belongs: which series, which step."""

        def expr(seconds: int) -> str:
            one = promql.per_step(wanted, seconds)
            return promql.worst(wanted, one) if too_many else one

        times, step, labels = wanted.times, wanted.step, wanted.metric.labels
        # The last step may not be over: it is asked by itself, for as far as it goes.
        whole = len(times) if times[-1] + step <= wanted.end else len(times) - 1
        if whole:
            first, last = (promql.just_before(times.start + count * step) for count in (1, whole))
            for one in self._ask("query_range", expr(step), start=first, end=last, step=str(step)):
                for at, value in one.points:
                    steps = (at - times.start) / step
                    if not 0.5 < steps < whole + 0.5:
                        continue
                    number = round(steps)
                    if abs(steps - number) > _MOST_OUT_OF_STEP:
                        raise self._unavailable(f"it answers for {at}, which is not the end of a step")
                    yield _place(labels, one), number - 1, value
        if whole < len(times):
            at_end = promql.just_before(wanted.end)
            for one in self._ask("query", expr(wanted.end - times[-1]), time=at_end):
                yield _place(labels, one), whole, one.value

    def increase(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        return self._readings(metrics, lambda metric: promql.increase(metric, cluster.name, seconds), until)

    def rise(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        return self._readings(metrics, lambda metric: promql.rise(metric, cluster.name, seconds), until)

    def median(self, cluster: ClusterName, metric: Metric, seconds: int, until: int) -> list[Reading]:
        return self._readings([metric], lambda one: promql.median(one, cluster.name, seconds), until)

    def latest(self, cluster: ClusterName, metrics: Sequence[Metric], until: int) -> list[Reading]:
        return self._readings(metrics, lambda metric: promql.latest(metric, cluster.name), until)

    def _readings(
        self, metrics: Sequence[Metric], expr: Callable[[Metric], str], until: int
    ) -> list[Reading]:
        return [
            Reading(
                host, metric.name, dict(zip(metric.labels, labels, strict=True)), value * metric.per_base_unit
            )
            for metric in metrics
            for one in self._ask("query", expr(metric), time=str(until))
            for host, labels in [_place(metric.labels, one)]
            if (value := one.value) is not None
        ]

    def _ask(self, path: str, query: str, **parameters: str) -> list[Found]:
        try:
            with requests.get(
                f"{self._base}/api/v1/{path}",
                params={"query": query, **parameters},
                headers=self._headers,
                auth=self._auth,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                # Credentials go to this address and to no other.
                allow_redirects=False,
                stream=True,
            ) as response:
                self._refuse(response)
                return self._result(response.status_code, _body(response, time.monotonic() + ANSWER_SECONDS))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._unavailable(_reason(error)) from None

    def _refuse(self, response: requests.Response) -> None:
        if response.is_redirect:
            raise self._unavailable("it redirects; set history.prometheus_url to the address it leads to")
        if response.status_code in {401, 403}:
            raise self._unavailable(
                f"it refuses our credentials ({response.status_code});"
                " check history.password and history.headers"
            )

    def _result(self, status: int, body: bytes) -> list[Found]:
        try:
            answer = json.loads(body)
            if answer["status"] == "success":
                return found_in(answer["data"])
            reason = f"{answer['errorType']}: {answer['error']}"
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            reason = f"the answer ({status}) is not that of Prometheus; check the URL"
        raise self._unavailable(reason)

    def _unavailable(self, reason: str) -> HistoryUnavailable:
        return HistoryUnavailable(f"the history at {self._place}: {reason[:_LONGEST_REASON]}")


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _body(response: requests.Response, deadline: float) -> bytes:
    """All of it, until a monotonic time: a timeout of each read alone would wait for the slowest for ever."""
    found = bytearray()
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        found += chunk
        if time.monotonic() > deadline:
            raise requests.Timeout
        if len(found) > MOST_BYTES:
            raise requests.exceptions.ContentDecodingError
    return bytes(found)


def _reason(error: Exception) -> str:
    """Without the error's own text, which holds the URL."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS fails; check its certificate"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return f"the answer is broken, or larger than {MOST_BYTES >> 20} MiB"
    if isinstance(error, requests.ConnectionError | urllib3.exceptions.HTTPError):
        return "it cannot be reached, or it hangs up"
    return f"it cannot be asked ({type(error).__name__})"


def _place(labels: Sequence[str], found: Found) -> _Place:
    return found.labels.get("host", ""), tuple(found.labels.get(name, "") for name in labels)


def _series(wanted: Wanted, place: _Place, values: Sequence[float | None]) -> SeriesPoints:
    host, labels = place
    factor = wanted.metric.per_base_unit if isinstance(wanted.metric, Metric) else 1.0
    points: list[Point] = [
        (time, None if value is None else value * factor)
        for time, value in zip(wanted.times, values, strict=True)
    ]
    return SeriesPoints(host, dict(zip(wanted.metric.labels, labels, strict=True)), points)

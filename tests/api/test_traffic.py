"""/metrics: what the workers counted, together."""

from __future__ import annotations

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.own import OwnMetrics
from api.reloads import ReloadState
from api.traffic import BUCKETS, MAX_ROUTES, ROWS, Traffic
from tests.api.conftest import Client

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(page: str) -> Series:
    families = list(text_string_to_metric_families(page))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def requests(found: Series, route: str, status: str, method: str = "GET") -> float:
    labels = (("method", method), ("route", route), ("status", status))
    return found.get(("clustersight_api_requests_total", labels), 0.0)


def test_requests_are_counted_by_route_method_and_status(client: Client) -> None:
    for _ in range(3):
        client.get("/health")
    client.get("/health?x=1")
    client.post("/health")
    client.get("/nope/1")
    client.get("/nope/2")
    client.ask("FROB", "/api/v1/health")

    found = series(client.ask("GET", "/metrics").text)

    assert requests(found, "/api/v1/health", "200") == 3
    assert requests(found, "/api/v1/health", "422") == 1
    assert requests(found, "unmatched", "404") == 2
    assert requests(found, "unmatched", "405", "POST") == 1
    assert requests(found, "unmatched", "405", "OTHER") == 1
    count = ("clustersight_api_request_duration_seconds_count", (("route", "/api/v1/health"),))
    assert found[count] == 4


def test_the_page_is_prometheus_text(client: Client) -> None:
    answer = client.ask("GET", "/metrics")

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert ("clustersight_build_info", (("version", "0.1.0"),)) in series(answer.text)


def test_workers_are_added_up_and_a_successor_goes_on() -> None:
    traffic = Traffic()
    for row in (0, 1, 0):  # the third is the first one's successor
        child = os.fork()
        if not child:
            traffic.occupy(row, os.getpid())
            traffic.record(1, "GET", 200, 0.004)
            os._exit(0)
        os.waitpid(child, 0)

    assert list(traffic.requests()) == [(1, "GET", 200, 3.0)]
    [(route, counts, seconds)] = traffic.durations()
    assert (route, seconds) == (1, pytest.approx(0.012))
    assert counts == [0, 0] + [3.0] * (len(BUCKETS) - 1)


def test_each_process_has_its_memory_and_cpu_on_the_page() -> None:
    traffic = Traffic()
    traffic.occupy(2, os.getpid())
    page = OwnMetrics(traffic, ReloadState(5.0), ["unmatched"]).render().decode()

    found = series(page)

    assert found["process_resident_memory_bytes", (("worker", "2"),)] > 1e6
    assert found["clustersight_config_last_reload_success_timestamp_seconds", ()] == 5.0
    traffic.leave(2)
    assert list(traffic.workers()) == []


def test_the_last_row_and_route_have_their_place() -> None:
    traffic = Traffic()
    traffic.occupy(ROWS - 1, 1)
    traffic.record(MAX_ROUTES - 1, "DELETE", 599, 1e9)

    assert list(traffic.requests()) == [(MAX_ROUTES - 1, "DELETE", 500, 1.0)]
    assert list(traffic.durations()) == [(MAX_ROUTES - 1, [0.0] * len(BUCKETS) + [1.0], 1e9)]


def test_a_failed_reload_is_seen_and_keeps_the_time_of_the_good_one() -> None:
    state = ReloadState(5.0)
    state.record(ok=False, now=9.0)

    assert (state.count, state.ok, state.succeeded_at) == (2, False, 5.0)

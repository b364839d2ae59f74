"""A scrape as Prometheus makes it: one connection, one GET, all of the body."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
TEXT = "text/plain;version=0.0.4"
# What Prometheus 2.42 sends, word for word.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def scrape(url: str, encoding: str, accept: str = TEXT) -> tuple[float, bytes]:
    """(milliseconds from before the connection to the last byte, body as it was sent)."""
    place = urlsplit(url)
    headers = {"Accept": accept, "Accept-Encoding": encoding}
    began = time.perf_counter()
    connection = HTTPConnection(str(place.hostname), place.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", place.path or "/metrics", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    took = 1000 * (time.perf_counter() - began)
    if answer.status != 200:
        raise RuntimeError(f"{url}: {answer.status} {body[:200]!r}")
    if accept == TEXT and (answer.headers.get("Content-Encoding") or "identity") != encoding:
        raise RuntimeError(f"{url}: asked for {encoding}, got {answer.headers.get('Content-Encoding')}")
    return took, body


def scrapes(url: str, encoding: str, times: int) -> tuple[float, ...]:
    """Milliseconds of each, after one that is not counted."""
    scrape(url, encoding)
    return tuple(scrape(url, encoding)[0] for _ in range(times))

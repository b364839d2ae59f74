"""Requests by route, method and status, and how long they took: counted by each worker in its own row of
memory that all workers share, so that whichever worker is scraped speaks for all.

prometheus_client's own multiprocess mode would write a file for each process and sample, and it wants an
environment variable before its import.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from api.memory import doubles

# Workers of today, and those that a reload replaces and that still answer their last requests.
ROWS = 8
MAX_ROUTES = 128
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OTHER")
STATUSES = (
    200, 201, 202, 304, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 501, 502, 503,
)  # fmt: skip
# Seconds; 15 ms is what a cached panel may take.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_PER_ROUTE = len(METHODS) * len(STATUSES)
_COUNTS = MAX_ROUTES * _PER_ROUTE
_TIMES = len(BUCKETS) + 2  # beyond the last bucket, and the sum
_ROW = _COUNTS + MAX_ROUTES * _TIMES

_METHOD = {name: index for index, name in enumerate(METHODS)}
_STATUS = {status: index for index, status in enumerate(STATUSES)}


class Traffic:
    """The rows of all workers, and which one is ours. Thread safe."""

    def __init__(self) -> None:
        self._pids = doubles(ROWS)
        self._memory = doubles(ROWS * _ROW)
        self._row = 0
        self._lock = threading.Lock()

    def occupy(self, row: int, pid: int) -> None:
        """In a worker: write into this row. Its counts go on from where a former worker left them."""
        self._row = row
        self._pids[row] = float(pid)

    def leave(self, row: int) -> None:
        """In the parent: its worker has ended."""
        self._pids[row] = 0.0

    def record(self, route: int, method: str, status: int, seconds: float) -> None:
        """Count a request; `route` is a number below MAX_ROUTES."""
        start = self._row * _ROW
        kind = _METHOD.get(method, len(METHODS) - 1)
        code = _STATUS.get(status, _STATUS[400 if status < 500 else 500])
        times = start + _COUNTS + route * _TIMES
        with self._lock:  # += on an array is no single step
            self._memory[start + route * _PER_ROUTE + kind * len(STATUSES) + code] += 1
            self._memory[times + bisect_left(BUCKETS, seconds)] += 1
            self._memory[times + _TIMES - 1] += seconds

    def workers(self) -> Iterator[tuple[int, int]]:
        """The rows that are in use, with the ids of their processes."""
        for row, pid in enumerate(self._pids):
            if pid:
                yield row, int(pid)

    def requests(self) -> Iterator[tuple[int, str, int, float]]:
        """Route, method, status and how many, of all workers."""
        for place, count in enumerate(self._total(0, _COUNTS)):
            if count:
                route, rest = divmod(place, _PER_ROUTE)
                method, status = divmod(rest, len(STATUSES))
                yield route, METHODS[method], STATUSES[status], count

    def durations(self) -> Iterator[tuple[int, list[float], float]]:
        """Route, how many took at most BUCKETS (and all of them), and the sum of seconds."""
        totals = self._total(_COUNTS, _ROW)
        for route in range(MAX_ROUTES):
            times = totals[route * _TIMES : (route + 1) * _TIMES]
            if any(times):
                yield route, list(accumulate(times[:-1])), times[-1]

    def _total(self, start: int, end: int) -> Sequence[float]:
        rows = (self._memory[row * _ROW + start : row * _ROW + end].tolist() for row in range(ROWS))
        total = [0.0] * (end - start)
        for row in rows:
            if any(row):
                total = [a + b for a, b in zip(total, row, strict=True)]
        return total

"""The passes of an alerter as they come, seen from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import requests

from tests.servers.alerter import AlerterProcess
from tests.servers.process import wait_until
from tests.servers.slack import SlackStub

# A look costs the alerter some milliseconds: it counts its alerts.
LOOK_EVERY_SECONDS = 0.2
TOOK = "last_evaluation_seconds"
ENDED = "last_evaluation_at"


@dataclass(frozen=True, slots=True)
class Pass:
    """When it began (wall) and how long it took."""

    began: float
    seconds: float


class Passes:
    """Within a `with` block every pass is noted."""

    def __init__(self, alerter: AlerterProcess) -> None:
        self._alerter = alerter
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._last_end: float | None = None
        self.seen: list[Pass] = []

    def _look(self) -> None:
        while not self._stopped.wait(LOOK_EVERY_SECONDS):
            try:
                status = self._alerter.get("/-/status").json()
            except requests.RequestException:
                continue  # what comes of it shows in the passes
            if status[ENDED] is None or status[ENDED] == self._last_end:
                continue
            if self._last_end is not None:  # the one before the first look may have been any
                self.seen.append(Pass(status[ENDED] - status[TOOK], status[TOOK]))
            self._last_end = status[ENDED]

    def wait(
        self, more: int, timeout_seconds: float, each: Callable[[], object] = lambda: None
    ) -> list[Pass]:
        """Wait for so many more passes, do `each` after every one, and return them."""
        first = len(self.seen)
        for number in range(1, more + 1):
            wait_until(
                lambda wanted=first + number: len(self.seen) >= wanted, timeout_seconds, "the next pass"
            )
            each()
        return self.seen[first : first + more]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        self._thread.join()


def late(passes: list[Pass], interval_seconds: float) -> float:
    """By how many seconds more than the interval two passes began one after the other, at most."""
    return max(after.began - before.began - interval_seconds for before, after in pairwise(passes))


def config(folder: Path, rules: Path, stub: SlackStub, interval_seconds: int) -> dict[str, Any]:
    """An alerter with these rules, the store in `folder` and one channel."""
    return {
        "data_dir": str(folder),
        "collection": {"interval_sec": interval_seconds},
        "rules": {"builtin": False, "paths": [str(rules)]},
        "notify": {"allow_private": True, "channels": [{"name": "slack", "kind": "slack", "url": stub.url}]},
    }


def has_fired(alerter: AlerterProcess, number: int) -> bool:
    """Whether there are so many alerts."""
    return sum(alerter.get("/-/status").json()["alerts"].values()) == number

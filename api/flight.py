"""One run for all who want the same at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")


class Flight(Generic[ResultT]):
    """Thread safe. Whoever comes first works; the others wait, and get the same result or exception."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[ResultT]] = {}

    def do(self, key: Hashable, work: Callable[[], ResultT]) -> ResultT:
        """The result of `work()`, or of the one that is under way for this key."""
        with self._lock:
            running = self._running.get(key)
            mine: Future[ResultT] = running or self._running.setdefault(key, Future())
        if running is None:
            self._work(key, mine, work)
        return mine.result()

    def is_under_way(self, key: Hashable) -> bool:
        """Whether somebody works on it now."""
        return key in self._running

    def _work(self, key: Hashable, mine: Future[ResultT], work: Callable[[], ResultT]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must not wait for ever
            self._land(key)
            mine.set_exception(error)
            return
        self._land(key)
        mine.set_result(result)

    def _land(self, key: Hashable) -> None:
        with self._lock:
            del self._running[key]

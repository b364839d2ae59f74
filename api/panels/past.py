"""The history as panels ask it: a source that has just failed is left alone for a moment."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from api.context import Context
from api.live.outages import FAILED_SECONDS
from clustersight.history import Answer, ClusterName, History, HistoryUnavailable, Reading, Wanted, history_of
from clustersight.metrics import Metric
from clustersight.settings.model import HistorySettings

AnswerT = TypeVar("AnswerT")


class Past:
    """One per process: `current().of(Past)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        # One: a process has one source at a time.
        self._failure: tuple[float, Hashable, str] | None = None

    def history(self, settings: HistorySettings) -> History:
        """The source that the settings name. It raises at once what it raised a moment ago."""
        found = history_of(settings, self._context.database)
        return found if settings.prometheus_url is None else _Remembered(self, settings, found)

    def ask(self, source: Hashable, work: Callable[[], AnswerT]) -> AnswerT:
        """What `work()` answers. Raises HistoryUnavailable."""
        now = self._context.clock.monotonic
        failure = self._failure
        if failure is not None and failure[1] == source and now() < failure[0]:
            raise HistoryUnavailable(failure[2])
        try:
            return work()
        except HistoryUnavailable as error:
            self._failure = (now() + FAILED_SECONDS, source, str(error))
            raise


class _Remembered:
    """The contract `History`, over another one."""

    def __init__(self, past: Past, settings: HistorySettings, history: History) -> None:
        self._past = past
        # With the credentials, which change nothing of an address but whether it answers.
        self._source = settings.model_dump_json(), settings.password
        self._history = history

    def range(self, wanted: Wanted) -> Answer:
        return self._past.ask(self._source, lambda: self._history.range(wanted))

    def increase(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        return self._past.ask(self._source, lambda: self._history.increase(cluster, metrics, seconds, until))

    def rise(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        return self._past.ask(self._source, lambda: self._history.rise(cluster, metrics, seconds, until))

    def median(self, cluster: ClusterName, metric: Metric, seconds: int, until: int) -> list[Reading]:
        return self._past.ask(self._source, lambda: self._history.median(cluster, metric, seconds, until))

    def latest(self, cluster: ClusterName, metrics: Sequence[Metric], until: int) -> list[Reading]:
        return self._past.ask(self._source, lambda: self._history.latest(cluster, metrics, until))

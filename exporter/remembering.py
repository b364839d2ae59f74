"""The exporter's side of the store, wired: who leads, what is followed, what is written, what is due."""

from __future__ import annotations

from collections.abc import Callable

from clustersight.collection import Clock
from clustersight.configuration import Configuration
from clustersight.effective import Effective
from clustersight.store.opening import Store
from exporter.collecting import Collecting
from exporter.following import Following
from exporter.housekeeping import Housekeeping
from exporter.page import Page
from exporter.recorder import Recorder
from exporter.recording import Record
from exporter.scoring import Scoring


class Remembering:
    """Made before collecting, which it feeds with clusters and which feeds it with visits."""

    def __init__(
        self, store: Store, clock: Clock, configuration: Configuration, watch: Callable[[Effective], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self.following = Following(store, configuration, clock.wall, watch)
        self.recorder = Recorder(store, clock, self.following)
        self._scoring: Scoring | None = None

    def record(self, record: Record) -> None:
        """A visit has ended. Never waits."""
        if self._scoring is not None:
            self._scoring.note(record)
        self.recorder.submit(record)

    def start(self, collecting: Collecting, page: Page) -> None:
        """Begin to lead, follow and write."""
        self._scoring = Scoring(self._store.database, self._clock, collecting, page, self.recorder.writer)
        self.recorder.chores += [self._scoring, Housekeeping(self._store.database, self._clock, collecting)]
        self.recorder.start()

    @property
    def waiting_for(self) -> str:
        """Why nothing can be on the page yet; empty when it can."""
        leadership = self.recorder.leadership
        if leadership.holder and not leadership.leads:
            return f"standby: {leadership.holder} works on this store"
        return "" if self.following.known is not None else "waiting for the store"

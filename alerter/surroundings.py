"""What the senders of all channels share, and what they count."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from alerter.book import Book
from alerter.steady import SteadyClock
from clustersight.notify.notice import Links
from clustersight.store.database import Database


@dataclass(slots=True)
class Counts:
    """Rows by how a try or their life ended, for the metrics."""

    by_outcome: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: str, number: int = 1) -> None:
        self.by_outcome[outcome] = self.by_outcome.get(outcome, 0) + number


@dataclass(slots=True)
class Surroundings:
    """What all senders share. `may_send` is asked before each message: whether this alerter leads.

    `lock` is held while the end of a row is written and noted in the book; `book` gives the book of today,
    which is another one after a change of leaders.
    """

    database: Database
    clock: SteadyClock
    book: Callable[[], Book]
    lock: threading.RLock
    may_send: Callable[[], bool]
    links: Links
    max_age_seconds: float

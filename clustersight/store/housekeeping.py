"""What keeps the history small and quick, in steps that one process takes between its other work."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.store.database import Database
from clustersight.store.retention import Retention, expire
from clustersight.store.rollups import Rollup
from clustersight.store.tiers import HOUR_SECONDS, Tier


class Housekeeping:
    """Rolls up and forgets. One per store at a time, used by one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rollups = [Rollup(database, Tier.HOURLY), Rollup(database, Tier.DAILY)]
        self._pass: Iterator[None] | None = None
        self._begun: tuple[int, Retention] | None = None

    def step(self, now: int, retention: Retention) -> bool:
        """One short transaction's worth of work; says whether there was any, so that more may be left.

        `now` in epoch seconds. After False nothing is to be done for a minute. What an error interrupts
        is done again. Raises StoreError.
        """
        return any(rollup.step(now) for rollup in self._rollups) or self._expire(now, retention)

    def _expire(self, now: int, retention: Retention) -> bool:
        """A pass each hour, and one when the settings change."""
        due = (now // HOUR_SECONDS, retention)
        if self._pass is None:
            if self._begun == due:
                return False
            self._pass, self._begun = expire(self._database, now, retention), due
        try:
            next(self._pass)
        except StopIteration:
            self._pass = None
        except Exception:
            self._pass = self._begun = None
            raise
        return True

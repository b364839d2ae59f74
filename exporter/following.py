"""What is to be watched: the file's clusters and settings, and those made over the API, as they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from clustersight.configuration import Configuration
from clustersight.effective import Effective, effective, provision, tell_refused
from clustersight.logs import event
from clustersight.store import revisions
from clustersight.store.errors import StoreError
from clustersight.store.opening import Store

log = logging.getLogger(__name__)

# Two visits within the 15 minutes for which readers hold a value (store/samples.py), one of them late.
MOST_INTERVAL_SECONDS = 600


class Following:
    """`took_over` is told what holds whenever that changes. Used by the recorder and by reloads.

    Clusters that came from a file which no longer names them are gone, if there is a file at all.
    """

    def __init__(
        self,
        store: Store,
        base: Configuration,
        wall: Callable[[], float],
        took_over: Callable[[Effective], None],
    ) -> None:
        self._store = store
        self._base = base
        self._wall = wall
        self._took_over = took_over
        self._lock = threading.Lock()
        self._provisioned = False
        self.known: Effective | None = None

    def look(self) -> Effective:
        """See whether something was changed, and take it over. Raises StoreError."""
        with self._lock:
            return self._look()

    def _look(self) -> Effective:
        if not self._provisioned:
            provision(self._base.settings, self._store, self._wall(), complete=self._base.has_file)
        elif self.known is not None:
            with self._store.database.read() as db:
                if revisions.read(db) == self.known.revision:
                    return self.known
        found = effective(self._base.settings, self._store)
        tell_refused(found, self.known)
        self._provisioned = True
        self._take_over(found)
        return found

    def _take_over(self, found: Effective) -> None:
        if self.known is None or self.known.settings != found.settings:
            event(log, logging.INFO, "watching", clusters=len(found.settings.clusters))
        self._tell_seldom(found.settings.collection.interval_sec)
        self._took_over(found)
        self.known = found

    def _tell_seldom(self, interval_sec: int) -> None:
        """Once for each interval that is set."""
        known = self.known.settings.collection.interval_sec if self.known else None
        if interval_sec > MOST_INTERVAL_SECONDS and interval_sec != known:
            event(
                log,
                logging.WARNING,
                "collection.interval_sec is too long for history without gaps:"
                f" a value is held for 15 minutes; set at most {MOST_INTERVAL_SECONDS}",
                interval_sec=interval_sec,
            )

    def rebase(self, base: Configuration) -> None:
        """The file was read again. Without the store its own clusters are watched all the same."""
        with self._lock:
            self._base, self._provisioned = base, False
            try:
                self._look()
            except StoreError:  # the recorder says it, and tries again
                self._take_over(self._alone())

    def go_on_alone(self) -> None:
        """The store cannot be read at the start: watch what the file names."""
        with self._lock:
            if self.known is None:
                self._take_over(self._alone())

    def _alone(self) -> Effective:
        settings = self._base.settings
        own = {cluster.name for cluster in settings.clusters}
        others = self.known.settings.clusters if self.known else ()
        ids = dict(self.known.ids) if self.known else {}
        made = tuple(c for c in others if c.name not in own and c.name in ids)
        clusters = (*settings.clusters, *made)
        sql_rules = self.known.sql_rules if self.known else ()
        return Effective(
            settings.model_copy(update={"clusters": clusters}), ids, revision=-1, sql_rules=sql_rules
        )

    def stand_by(self) -> None:
        """Another exporter leads: watch nothing."""
        with self._lock:
            if self.known is None or self.known.settings.clusters:
                nothing = self._base.settings.model_copy(update={"clusters": ()})
                self._take_over(Effective(nothing, {}, revision=-1))
            self._provisioned = False

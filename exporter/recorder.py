"""The thread that writes: visits, scores and housekeeping go into the store, one transaction each.

Collecting never waits for it. Of a node whose visits come faster than the store takes them, the latest
counts; what was left out is counted. A store that fails is tried again with the next visit.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from clustersight.collection import Clock
from clustersight.effective import Effective
from clustersight.logs import event
from clustersight.process.leadership import Leadership
from clustersight.store import nodes, snapshots
from clustersight.store.errors import StoreError
from clustersight.store.opening import Store
from clustersight.store.samples import HistoryWriter
from exporter.following import Following
from exporter.recording import Record, history_of, node_of, snapshots_of
from exporter.sql_rules import is_removed, names_of

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# Changes made over the API are to be followed within an interval, of which the shortest is 5 s.
FOLLOW_SECONDS = 1.0
# After a failure; the next visit is tried anyway.
PAUSE_SECONDS = 2.0


class Chore(Protocol):
    """Something that is due now and then: one unit of work; True if there is more of it at once."""

    def __call__(self, found: Effective) -> bool: ...


class Recorder:
    """`chores` are done, in turn, while no visit waits."""

    def __init__(self, store: Store, clock: Clock, following: Following) -> None:
        self._store = store
        self._clock = clock
        self._following = following
        self._waiting: dict[tuple[str, str], Record] = {}
        self._changed = threading.Condition()
        self._stopped = False
        self._more = False
        self._followed_at = float("-inf")
        self.writer = HistoryWriter()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.leadership = Leadership(store.database, "exporter")
        self.chores: list[Chore] = []
        self.error = ""
        self.written = 0
        self.left_out = 0

    def start(self) -> None:
        self._thread.start()

    def submit(self, record: Record) -> None:
        """Have a visit written. Never waits."""
        with self._changed:
            if self._waiting.pop((record.cluster, record.host), None) is not None:
                self.left_out += 1
            self._waiting[(record.cluster, record.host)] = record
            self._changed.notify()

    def stop(self, timeout_seconds: float) -> None:
        """Write what waits, for this long at the most, and give the lease back."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(timeout_seconds)
        self.leadership.resign()

    def _run(self) -> None:
        while True:
            record = self._next()
            if record is None and self._stopped:
                return
            try:
                self._turn(record)
                self._well()
            except StoreError as error:
                self.left_out += record is not None
                self._failed(error)
            except Exception:  # a bug in one record must not end the writing; the traceback is in the log
                log.exception("recording failed")

    def _next(self) -> Record | None:
        with self._changed:
            at_once = not self.error and (self._more or self._following.known is None)
            if not self._waiting and not self._stopped and not at_once:
                self._changed.wait(PAUSE_SECONDS if self.error else POLL_SECONDS)
            if not self._waiting:
                return None
            return self._waiting.pop(next(iter(self._waiting)))

    def _turn(self, record: Record | None) -> None:
        self.leadership.renew(self._clock.wall(), self._clock.monotonic())
        if not self.leadership.leads:
            self._following.stand_by()
            self.writer.forget()  # what the other one writes meanwhile
            return
        found = self._follow()
        if record is not None:
            self._write(record, found)
        elif not self._stopped:
            self._do_chores(found)

    def _follow(self) -> Effective:
        now, known = self._clock.monotonic(), self._following.known
        if known is None or not known.ids or now - self._followed_at >= FOLLOW_SECONDS:
            known = self._following.look()
            self._followed_at = now
        return known

    def _do_chores(self, found: Effective) -> None:
        """One unit of each: the lease, and a visit that comes in between, do not wait for all of it."""
        self._more = False
        for chore in self.chores:
            self._more = chore(found) or self._more

    def _write(self, record: Record, found: Effective) -> None:
        cluster_id = found.ids.get(record.cluster)
        if cluster_id is None or record.settings not in found.settings.clusters:
            return  # removed, or moved elsewhere, while it was being visited
        at = int(record.collection.started_at)
        names = names_of(found, record.cluster, cluster_id)
        with self._store.database.begin() as db:
            written = self.writer.write(db, cluster_id, record.host, at, history_of(record))
            nodes.put(db, node_of(record, cluster_id))
            # A rule that was removed while it ran must not leave a value behind.
            said = snapshots_of(record, cluster_id)
            snapshots.put(db, [one for one in said if not is_removed(one.panel, names)])
        self.writer.confirm(written)
        self.written += 1

    def _well(self) -> None:
        if self.error:
            event(log, logging.INFO, "the store is written again", store=self._store.database.place)
        self.error = ""

    def _failed(self, error: StoreError) -> None:
        if str(error) != self.error:
            event(log, logging.ERROR, "the store is not written; collecting goes on", error=error)
        self.error = str(error)
        if not self.leadership.holder:
            self._following.go_on_alone()

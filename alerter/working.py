"""The alerter's work, a tick a second: lead, follow what changed, evaluate what is due, have it sent."""

from __future__ import annotations

import logging
import threading

from alerter import book as books
from alerter import channels, loading
from alerter.channels import Configured, Senders
from alerter.engine import Engine, LeaseLost
from alerter.heartbeat import Heartbeat
from alerter.loading import RuleSet, Stored
from alerter.schedule import Timetable
from alerter.sight import Sight
from alerter.status import Status
from alerter.steady import SteadyClock
from alerter.surroundings import Surroundings
from clustersight.configuration import Configuration
from clustersight.effective import overlaid
from clustersight.logs import event
from clustersight.notify.notice import Links
from clustersight.problem import SettingsError
from clustersight.process.leadership import Leadership
from clustersight.settings.model import Settings
from clustersight.store import alert_changes, outbox, passes, revisions
from clustersight.store import settings as stored_settings
from clustersight.store.database import Connection
from clustersight.store.errors import Conflict, StoreError
from clustersight.store.opening import Store

log = logging.getLogger(__name__)

NAME = "alerter"
# What a message that is in flight may take (clustersight/notify/destination.py: 12 s).
STOP_SECONDS = 15.0


class Working:
    """`tick` is called by one thread; `take_over` by whoever reloads."""

    def __init__(self, store: Store, clock: SteadyClock, configuration: Configuration) -> None:
        self._store = store
        self._clock = clock
        self._configuration = configuration
        self._files: RuleSet | None = None
        self._stored = Stored()
        self._lock = threading.Lock()
        self._begun = False
        self._revision = -1
        self._people = -1
        self._rows = -1
        self._store_error = ""
        self._settings = configuration.settings
        self.leadership = Leadership(store.database, NAME)
        self.sight = Sight(store.database, clock)
        self.engine = Engine(store.database, clock, self.sight, self.leadership)
        self.timetable = Timetable()
        self.senders = Senders()
        self.heartbeat = Heartbeat()
        self.status = Status(store.database, clock.wall, lambda: self.senders.all, lambda: self.engine.book)

    # -- configuration ---------------------------------------------------------------------------------

    def take_over(self, configuration: Configuration, files: RuleSet | None) -> None:
        """Work with these from now on; without `files` with the rules that the store has.

        Raises StoreError and Conflict: then all goes on as before.
        """
        with self._lock:
            before, self._files = self._files, files
            if self._begun:
                try:
                    self._store_files()
                except (StoreError, Conflict):
                    self._files = before
                    raise
            self._configuration, self._revision, self._stored = configuration, -1, Stored()

    def _store_files(self) -> None:
        if self._files is not None:
            with self._store.database.begin() as db:
                loading.store(db, self._files, self._clock.wall())
            # Only now: what could not be written is written with the next turn.
            self._files = None

    def require(self, files: RuleSet) -> None:
        """Raise SettingsError for what the store has against these rules; StoreError if it cannot tell."""
        with self._store.database.read() as db:
            problems = loading.conflicts(db, files)
        if problems:
            raise SettingsError(problems)

    # -- the work --------------------------------------------------------------------------------------

    def tick(self) -> None:
        """One turn. A store that fails is tried again with the next one; nothing that was seen is lost."""
        try:
            self._turn()
            self._tell_store("")
        except LeaseLost:
            event(log, logging.WARNING, "another alerter leads; what was found now is its to write")
            self._begun = False
        except StoreError as error:
            self._tell_store(str(error))
            # A commit may have gone through whose answer was lost: what the store has counts.
            self._begun = False
        finally:
            self._tell_status()

    def _turn(self) -> None:
        self.leadership.renew(self._clock.wall(), self._clock.monotonic())
        if not self.leadership.leads:
            self._begun = False
            return
        with self._lock:
            if not self._begun:
                self._begin()
            self._follow()
        for interval in self.timetable.due(self._clock.monotonic()):
            self._pass(interval)

    def _begin(self) -> None:
        try:
            self._store_files()
        except Conflict as error:
            self.status.reload_successful, self.status.problems = False, str(error)
            event(log, logging.ERROR, "the rules of files are not taken over", problem=str(error))
            self._files = None
        self.engine.begin()
        self._revision = -1
        self._begun = True

    def _follow(self) -> None:
        """Take over what was changed over the API, or by a reload."""
        with self._store.database.read() as db:
            revision = revisions.read(db)
            people = revisions.read(db, alert_changes.REVISION)
            rows = revisions.read(db, outbox.REVISION)
            changed = revision != self._revision
            found = self._read(db) if changed else None
        if found is not None:
            self._use(*found)
        if changed or people != self._people:
            self.engine.run((), None)
        self._revision, self._people = revision, people
        if rows != self._rows:
            self._rows = rows
            self.senders.wake()

    def _read(self, db: Connection) -> tuple[Settings, Configured]:
        settings = overlaid(self._configuration.settings, stored_settings.read(db))
        self._stored = loading.stored(db, self._stored)
        self.engine.rules, self.status.hash = self._stored.active, self._stored.hash
        return settings, channels.configured(settings, self._store, db)

    def _use(self, settings: Settings, wanted: Configured) -> None:
        self._settings = settings
        self.sight.collection = settings.collection
        self.status.rules = self.engine.rules
        self.timetable.follow(self.engine.rules, settings.collection.interval_sec)
        self.engine.targets = channels.targets(wanted.usable)
        around, allow_private = self._around(settings), settings.notify.allow_private
        self.senders.follow(wanted.usable, around, allow_private=allow_private)
        with self.engine.lock:
            with self._store.database.begin() as db:
                channels.bury(db, wanted.names, self._clock.wall())
            books.forget_channels(self.engine.book, wanted.names)
            with self._store.database.begin() as db:
                passes.forget(db, set(self.timetable.rules))

    def _around(self, settings: Settings) -> Surroundings:
        return Surroundings(
            database=self._store.database,
            clock=self._clock,
            book=lambda: self.engine.book,
            lock=self.engine.lock,
            may_send=lambda: self._begun and self.leadership.holds(self._clock.monotonic()),
            links=Links(_trimmed(settings.grafana.url), _trimmed(settings.api.public_url)),
            max_age_seconds=settings.notify.max_age.total_seconds(),
        )

    def _pass(self, interval: int) -> None:
        began = self._clock.monotonic()
        if self.engine.run(self.timetable.rules[interval], interval):
            self.senders.wake()
        now = self._clock.monotonic()
        self.timetable.done(interval, now)
        self.status.last_pass_at, self.status.last_pass_seconds = self._clock.wall(), now - began
        if interval == self._settings.collection.interval_sec:
            self.heartbeat.beat(self._settings.alerter.heartbeat_url)

    # -- what is told ----------------------------------------------------------------------------------

    def _tell_store(self, error: str) -> None:
        if error and error != self._store_error:
            event(log, logging.ERROR, "the store fails; alerts wait for it", error=error)
        if self._store_error and not error:
            event(log, logging.INFO, "the store works again")
        self._store_error = error

    def _tell_status(self) -> None:
        status = self.status
        status.leads, status.holder = self.leadership.leads and self._begun, self.leadership.holder
        status.stands_by = bool(self.leadership.holder) and not self.leadership.leads
        status.failures, status.missed = self.engine.failures, self.timetable.missed
        status.heartbeats = (self.heartbeat.sent, self.heartbeat.failed)
        status.store_error = self._store_error
        status.interval_sec = self._settings.collection.interval_sec
        status.late_seconds = self.timetable.late(self._clock.monotonic())
        self._clock.offset()
        status.clock_steps = self._clock.steps

    def stop(self) -> None:
        """Let messages in flight end, for some seconds, and give the lease back."""
        self.senders.stop(STOP_SECONDS)
        self.leadership.resign()


def _trimmed(url: object) -> str | None:
    return str(url).rstrip("/") if url else None

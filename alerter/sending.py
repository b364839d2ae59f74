"""A channel's sender: takes what waits in the outbox, sends it, and writes how it ended. One thread each.

A slow or broken channel holds its own thread and nobody else. What was sent is written before anything
else is: after a kill -9 the message in flight is the one that may come twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from random import SystemRandom

from alerter import book as books
from alerter.surroundings import Counts, Surroundings
from clustersight.alerts.batching import Batch, Waiting, next_batch
from clustersight.alerts.pace import PROBE_SECONDS, Bucket, backoff, full
from clustersight.logs import event
from clustersight.notify.channel import Channel, ChannelBroken, Delivered, Outcome, Paused, Refused, TryAgain
from clustersight.notify.digest import fits
from clustersight.notify.notice import Message, Notice, NoticeKind
from clustersight.settings.notify import Severity
from clustersight.store import channels, outbox
from clustersight.store.channels import HEALTHY, PAUSED, UNHEALTHY, ChannelState
from clustersight.store.errors import StoreError
from clustersight.store.outbox import StoredRow

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# After the store could not be read or written.
RETRY_SECONDS = 1.0
# So many failures in a row are the channel's and not a message's.
_OUTAGE = 3
# Three digests' worth: to read a whole backlog for each message would take a fifth of a core. Only a storm
# of a grouped rule is read whole, since it is one message.
_FEW_ROWS = 300
_GRACE_SECONDS = 60.0
# A message that is in flight when its channel changes must be ended by whoever sent it.
_LONGEST_SEND_SECONDS = 60.0
_AHEAD = (NoticeKind.ESCALATED.value, NoticeKind.TEST.value)
_random = SystemRandom().random


class Sender:
    """Ends every row as delivered or dead, with the reason; what must wait stays pending."""

    def __init__(self, channel: Channel, around: Surroundings, *, after: Sender | None = None) -> None:
        self._channel = channel
        self._after = after
        self._around = around
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"sender-{channel.name}", daemon=True)
        self._bucket: Bucket | None = None
        self._failures = 0
        self._not_before = float("-inf")
        self._begun_at = around.clock.monotonic()
        self._alone: set[int] = set()
        self._attempts: dict[int, int] = {}
        self._state: ChannelState | None = None
        self.counts = Counts()

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def state(self) -> ChannelState | None:
        return self._state

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """Send nothing more; the message in flight is still ended."""
        self._stopped = True
        self._wake.set()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        if self._after is not None:
            self._after.join(_LONGEST_SEND_SECONDS)
            self._after = None
        while not self._stopped:
            pause = POLL_SECONDS
            try:
                if self._around.may_send():
                    pause = self.step()
                else:
                    self._state = None  # another one's doings are read anew
            except StoreError as error:
                event(
                    log, logging.ERROR, "deliveries wait for the store", channel=self.name, error=str(error)
                )
                pause = RETRY_SECONDS
            except Exception:  # the thread must live: rows would wait for ever
                log.exception("sending to channel %s failed", self.name)
                pause = RETRY_SECONDS
            self._wake.wait(max(0.01, pause))
            self._wake.clear()

    def step(self) -> float:
        """Send one message, if one is due and may go; returns for how many seconds there is nothing to do."""
        clock = self._around.clock
        if self._state is None:
            self._begin()
        paused = self._not_before - clock.monotonic() if self._is(PAUSED) else 0.0
        if paused > 0:
            return min(POLL_SECONDS, paused)
        wait = self._bucket.wait(clock.monotonic()) if self._bucket else 0.0
        if wait > 0:
            return wait
        batch = self._next()
        if batch is None:
            return POLL_SECONDS
        self._send(batch)
        return 0.0

    def _begin(self) -> None:
        """Go on as the one before did: no second burst, and a pause that a 429 asked for still holds."""
        clock = self._around.clock
        with self._around.database.read() as db:
            known = channels.every(db).get(self.name)
        self._state = known or ChannelState(self.name, HEALTHY, clock.wall())
        idle = max(0.0, clock.wall() - (self._state.last_delivered_at or 0.0))
        self._bucket = full(clock.monotonic(), idle_seconds=idle)
        if self._state.state == PAUSED and self._state.paused_until is not None:
            # Never longer than what a receiver may ask for: the clock may have been set back.
            left = min(3600.0, self._state.paused_until - clock.wall())
            self._not_before = clock.monotonic() + left

    def _next(self) -> Batch | None:
        clock = self._around.clock
        now = clock.wall()
        with self._around.database.read() as db:
            # What somebody has just asked for does not wait for the channel to get better.
            rows = [row for row in outbox.urgent(db, self.name, _AHEAD) if row.attempts == 0]
            if not rows and clock.monotonic() >= self._not_before:
                rows = outbox.due(db, self.name, now, _FEW_ROWS)
                if len(rows) == _FEW_ROWS and rows[0].message.get("grouped"):
                    rows = outbox.due(db, self.name, now)
            old = outbox.expired(db, self.name, self._oldest())
        if old:
            with self._around.lock:
                self._give_up(old, f"not delivered within {self._around.max_age_seconds / 3600:g} h")
            rows = [row for row in rows if row.id not in set(old)]
        self._attempts = {row.id: row.attempts for row in rows}
        return next_batch([self._waiting(row) for row in rows], fits)

    def _oldest(self) -> float:
        """Before when a row was made to be given up: old by the wall clock and by the steady one, which no
        step moves; and after a restart, which knows of no step before it, everything has one more try."""
        clock = self._around.clock
        if clock.monotonic() - self._begun_at < _GRACE_SECONDS:
            return 0.0
        return min(clock.wall(), clock.now()) - self._around.max_age_seconds

    def _waiting(self, row: StoredRow) -> Waiting:
        return Waiting(row.id, Notice.of_plain(row.message), alone=row.id in self._alone)

    def _send(self, batch: Batch) -> None:
        clock = self._around.clock
        if self._bucket is not None:
            self._bucket.take(clock.monotonic())
        if not self._around.may_send():
            return
        message = Message(
            batch.id_for(self.name), batch.form, batch.notices, self._around.links, sent_at=clock.wall()
        )
        outcome = self._channel.send(message, plain=batch.plain)
        # To go on without would be to send it again: it is written, however long the store takes.
        while not self._noted(batch, outcome) and not self._stopped:
            time.sleep(RETRY_SECONDS)

    def _noted(self, batch: Batch, outcome: Outcome) -> bool:
        try:
            with self._around.lock:
                self._end(batch, outcome)
        except StoreError as error:
            event(log, logging.ERROR, "a delivery cannot be noted", channel=self.name, error=str(error))
            return False
        return True

    # -- how it ended ----------------------------------------------------------------------------------

    def _end(self, batch: Batch, outcome: Outcome) -> None:
        match outcome:
            case Delivered():
                self._delivered(batch)
            case TryAgain(reason):
                # What needed repair is not repaired because it fails in another way now.
                state = UNHEALTHY if self._is(UNHEALTHY) else HEALTHY
                self._later(batch, reason, backoff(self._failures + 1, _random), "retried", state)
                self._failures += 1
            case Paused(seconds, reason):
                self._later(batch, reason, seconds, "paused", PAUSED)
            case ChannelBroken(reason):
                self._broken(batch, reason)
            case Refused(reason):
                self._refused(batch, reason)

    def _delivered(self, batch: Batch) -> None:
        now, ids = self._around.clock.wall(), [row.id for row in batch.rows]
        was_broken = self._is(UNHEALTHY)
        with self._around.database.begin() as db:
            outbox.delivered(db, ids, now)
            if was_broken or self._failures >= _OUTAGE:
                outbox.repaired(db, self.name, now)
            state = ChannelState(self.name, HEALTHY, self._since(HEALTHY), last_delivered_at=now)
            channels.put(db, state)
        if was_broken:
            event(log, logging.INFO, "channel works again", channel=self.name)
        self._state, self._failures, self._not_before = state, 0, float("-inf")
        self.counts.add("delivered", len(ids))
        self._tell(batch, good=True)

    def _later(self, batch: Batch, reason: str, seconds: float, outcome: str, state: str) -> None:
        """The rows stay; nothing goes to this channel for so many seconds."""
        clock = self._around.clock
        self._not_before = clock.monotonic() + seconds
        until = clock.wall() + seconds
        known = self._state or ChannelState(self.name, HEALTHY, clock.wall())
        new = ChannelState(
            self.name,
            state,
            self._since(state),
            paused_until=until if state == PAUSED else None,
            last_error=reason,
            last_delivered_at=known.last_delivered_at,
        )
        with self._around.database.begin() as db:
            outbox.failed(db, self._due(batch, outcome), reason)
            channels.put(db, new)
        self._state = new
        self.counts.add(outcome, len(batch.rows))
        event(log, logging.WARNING, "not delivered yet", channel=self.name, reason=reason, again_in=seconds)

    def _due(self, batch: Batch, outcome: str) -> dict[int, float]:
        """When each row may go again: one that alone fails, while others go, waits longer each time."""
        now = self._around.clock.wall()
        if outcome != "retried":
            return {row.id: now for row in batch.rows}
        tries = max(self._attempts.get(row.id, 0) for row in batch.rows) + 1
        return {row.id: now + backoff(tries, _random) for row in batch.rows}

    def _broken(self, batch: Batch, reason: str) -> None:
        """Somebody must repair the channel; whoever asked for a message just now is told so."""
        asked = [row.id for row in batch.rows if row.notice.kind.value in _AHEAD]
        if asked:
            self._give_up(asked, reason)
        rest = Batch(batch.form, tuple(row for row in batch.rows if row.id not in set(asked)))
        self._later(rest, reason, PROBE_SECONDS, "unhealthy", UNHEALTHY)

    def _refused(self, batch: Batch, reason: str) -> None:
        """Once more as plain text, each row by itself; then it is given up."""
        ids = [row.id for row in batch.rows]
        if batch.plain:
            self._give_up(ids, reason)
            return
        self._alone.update(ids)
        with self._around.database.begin() as db:
            outbox.failed(db, dict.fromkeys(ids, self._around.clock.wall()), reason)
        self.counts.add("refused", len(ids))
        event(log, logging.WARNING, "refused; again as plain text", channel=self.name, reason=reason)

    def _give_up(self, ids: Sequence[int], reason: str) -> None:
        with self._around.database.begin() as db:
            rows = outbox.some(db, ids)
            outbox.dead(db, ids, reason, self._around.clock.wall())
        self._alone.difference_update(ids)
        self.counts.add("dead", len(ids))
        event(log, logging.ERROR, "given up", channel=self.name, rows=len(ids), reason=reason)
        self._note([(row.id, row.alert_id, row.severity) for row in rows], good=False)

    def _tell(self, batch: Batch, *, good: bool) -> None:
        self._alone.difference_update(row.id for row in batch.rows)
        self._note([(r.id, r.notice.alert_id or None, r.notice.severity) for r in batch.rows], good=good)

    def _note(self, rows: Iterable[tuple[int, str | None, str]], *, good: bool) -> None:
        book, now = self._around.book(), self._around.clock.now()
        books.ended(book, [(i, a, Severity(s)) for i, a, s in rows], self.name, now, good=good)

    def _is(self, state: str) -> bool:
        return self._state is not None and self._state.state == state

    def _since(self, state: str) -> float:
        if self._state is not None and self._is(state):
            return self._state.since
        return self._around.clock.wall()

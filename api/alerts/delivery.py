"""Messages that somebody asks for: put into the outbox, and waited for. The API never sends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from api.context import Context
from api.errors import DeliveryFailed, Invalid
from api.live.rooms import Crowded, Rooms
from clustersight.store import channels, leases, outbox
from clustersight.store.channels import HEALTHY, ChannelState
from clustersight.store.outbox import StoredRow
from clustersight.times import iso

# spec/api.md, "Alerts".
WAIT_SECONDS = 10.0
# The sender looks twice a second.
POLL_SECONDS = 0.2
# Of a worker's 32 threads; whoever comes then is told at once that it waits.
MOST_WAITING = 8
# The lease of the process that sends.
ALERTER = "alerter"

_NO_CHANNEL = "no channel is configured; set slack_webhook_url (PUT /api/v1/settings), or notify.channels"


def no_channel() -> Invalid:
    """The error where there is nobody to send to."""
    return Invalid(_NO_CHANNEL, code="no_channel")


class Deliveries:
    """One per process: `current().of(Deliveries)`. Thread safe."""

    def __init__(
        self,
        context: Context,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._context = context
        self._monotonic = monotonic
        self._sleep = sleep

    def wait(self, ids: Sequence[int]) -> str | None:
        """Until rows of the outbox are delivered: None; or why they are not yet, after some seconds.

        No transaction is held meanwhile. Raises DeliveryFailed for what was given up, and StoreError.
        """
        try:
            with self._context.of(Rooms).room("deliveries", MOST_WAITING):
                rows = self._watch(ids)
        except Crowded:
            rows = self._rows(ids)
        _refuse_dead(rows)
        waiting = [row for row in rows if row.state == outbox.PENDING]
        return self._why(waiting) if waiting else None

    def _watch(self, ids: Sequence[int]) -> list[StoredRow]:
        ends = self._monotonic() + WAIT_SECONDS
        while True:
            rows = self._rows(ids)
            states = {row.state for row in rows}
            if outbox.DEAD in states or outbox.PENDING not in states or self._monotonic() >= ends:
                return rows
            self._sleep(POLL_SECONDS)

    def _rows(self, ids: Sequence[int]) -> list[StoredRow]:
        with self._context.database.read() as db:
            return outbox.some(db, ids)

    def _why(self, waiting: Sequence[StoredRow]) -> str:
        with self._context.database.read() as db:
            leader = leases.held_by(db, ALERTER, leases.clock(db, self._context.now))
            states = channels.every(db)
        if leader is None:
            return "no alerter is running"
        return "; ".join(f"{row.channel}: {_reason(row, states.get(row.channel))}" for row in waiting)


def _refuse_dead(rows: Sequence[StoredRow]) -> None:
    told = "; ".join(f"{row.channel}: {row.last_error}" for row in rows if row.state == outbox.DEAD)
    if told:
        raise DeliveryFailed(f"it was not delivered: {told}")


def _reason(row: StoredRow, channel: ChannelState | None) -> str:
    """What the row's own try met, or what the channel met before."""
    if channel is None or channel.state == HEALTHY:
        return row.last_error or "it waits for its turn"
    pause = f" until {iso(channel.paused_until)}" if channel.paused_until is not None else ""
    told = row.last_error or channel.last_error
    return f"the channel is {channel.state}{pause}" + (f" ({told})" if told else "")

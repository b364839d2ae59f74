"""The connections of this process to ClickHouse: kept between requests, each used by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.errors import TimedOut
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node
from clustersight.collection import Watch

# Panels of one page are asked side by side; whoever asks Keeper waits, since two questions of ours to a
# Keeper that hangs are one too many.
SEATS = 3
KEEPER_SEATS = 1
# Longer than results are usually kept, so that a page that is looked at keeps its connection.
IDLE_SECONDS = 60.0
# What panels remember of a node (rates between two visits) is of no use after that.
FORGOTTEN_SECONDS = 3600.0
SWEEP_SECONDS = 10.0


class Purpose(StrEnum):
    """What a watch is for: a question of the inspector may take 20 s, and keeps no panel waiting."""

    PANELS = "panels"
    KEEPER = "keeper"
    QUESTIONS = "questions"


@dataclass(frozen=True, slots=True)
class _Key:
    cluster_id: str
    address: Address
    purpose: Purpose

    @property
    def seats(self) -> int:
        return KEEPER_SEATS if self.purpose is Purpose.KEEPER else SEATS


@dataclass(slots=True)
class _Seat:
    watch: Watch
    used_at: float
    busy: bool = True
    is_open: bool = True
    # Of an address that is no more the cluster's: closed as soon as nobody uses it.
    is_former: bool = False
    panels: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Held:
    """A watch that is the caller's until `give_back`, which is to be called once."""

    watch: Watch
    give_back: Callable[[], None]


class Watches:
    """Thread safe; `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._seats: dict[_Key, list[_Seat]] = {}
        self._sweeper: threading.Thread | None = None

    @contextmanager
    def lease(
        self,
        cluster_id: str,
        node: Node,
        timeout_seconds: float,
        *,
        asks_keeper: bool,
        panels: Collection[str],
    ) -> Iterator[Watch]:
        """A watch of this node, rather the one that ran these panels before. Raises TimedOut.

        Without panels it is for other questions, which have watches of their own.
        """
        key = _key(cluster_id, node, panels, asks_keeper=asks_keeper)
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(key), timeout_seconds):
                raise TimedOut(f"{node.host}: the API's connections to it wait for other answers")
            held = self._take(key, node, panels)
        try:
            yield held.watch
        finally:
            held.give_back()

    def find(self, cluster_id: str, node: Node, *, asks_keeper: bool, panels: Collection[str]) -> Held | None:
        """The same without waiting; None where all of the node's are being used."""
        key = _key(cluster_id, node, panels, asks_keeper=asks_keeper)
        with self._changed:
            return self._take(key, node, panels) if self._has_room(key) else None

    def wait(self, timeout_seconds: float) -> None:
        """Until some watch is given back."""
        with self._changed:
            self._changed.wait(timeout_seconds)

    def _take(self, key: _Key, node: Node, panels: Collection[str]) -> Held:
        self._sweep_by_itself()
        seats = self._seats.setdefault(key, [])
        free = [seat for seat in seats if not seat.busy]
        if free:
            chosen = max(free, key=lambda seat: len(seat.panels & {*panels}))
            chosen.busy = chosen.is_open = True
            chosen.watch.node = node
        else:
            # Every worker of the API asks Keeper, and so does the exporter.
            watch = Watch(node, Session(node.address), Session(node.address), shares_keeper=True)
            chosen = _Seat(watch, self._monotonic())
            seats.append(chosen)
        return Held(chosen.watch, lambda: self._give_back(key, chosen, panels))

    def _has_room(self, key: _Key) -> bool:
        seats = self._seats.get(key, [])
        return len(seats) < key.seats or any(not seat.busy for seat in seats)

    def _give_back(self, key: _Key, seat: _Seat, panels: Collection[str]) -> None:
        with self._changed:
            seat.used_at = self._monotonic()
            seat.panels |= {*panels}
            if not seat.is_former:
                seat.busy = False
            self._changed.notify_all()
        if seat.is_former:
            seat.watch.close()
            self._drop(key, seat)

    def _drop(self, key: _Key, seat: _Seat) -> None:
        with self._changed:
            seats = self._seats[key]
            seats.remove(seat)
            if not seats:
                del self._seats[key]
            self._changed.notify_all()

    def keep_only(self, cluster_id: str, addresses: Collection[Address]) -> None:
        """The cluster's addresses or credentials are these now: whatever is open to others is closed.

        What is being used keeps its seat until then, or one more question would go to a Keeper that hangs.
        """
        with self._changed:
            old = [k for k in self._seats if k.cluster_id == cluster_id and k.address not in addresses]
            gone = [
                (key, seat) for key in old for seat in self._seats[key] if not (seat.is_former and seat.busy)
            ]
            free = [(key, seat) for key, seat in gone if not seat.busy]
            for _, seat in gone:
                seat.busy = seat.is_former = True
        for key, seat in free:
            seat.watch.close()
            self._drop(key, seat)

    def _sweep_by_itself(self) -> None:
        if self._sweeper is None:
            self._sweeper = threading.Thread(target=self._sweeping, name="idle-watches", daemon=True)
            self._sweeper.start()

    def _sweeping(self) -> None:
        pause = threading.Event()
        while not pause.wait(SWEEP_SECONDS):
            self.sweep()

    def sweep(self) -> None:
        """Close the sockets that nobody has used for a minute, and forget nodes after an hour."""
        now = self._monotonic()
        idle: list[_Seat] = []
        with self._changed:
            for key, seats in list(self._seats.items()):
                idle += [s for s in seats if not s.busy and s.is_open and now - s.used_at > IDLE_SECONDS]
                kept = [s for s in seats if s.busy or now - s.used_at <= FORGOTTEN_SECONDS]
                self._seats[key] = kept
                if not kept:
                    del self._seats[key]
            for seat in idle:
                seat.busy = True  # nobody takes it while it is being closed
        for seat in idle:
            seat.watch.close()
        with self._changed:
            for seat in idle:
                seat.busy = seat.is_open = False
            self._changed.notify_all()

    @property
    def open(self) -> int:
        """How many may hold a socket."""
        with self._changed:
            return sum(seat.is_open for seats in self._seats.values() for seat in seats)


def _key(cluster_id: str, node: Node, panels: Collection[str], *, asks_keeper: bool) -> _Key:
    purpose = Purpose.KEEPER if asks_keeper else Purpose.PANELS if panels else Purpose.QUESTIONS
    return _Key(cluster_id, node.address, purpose)

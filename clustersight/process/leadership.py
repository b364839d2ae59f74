"""Which process of a kind works on a store: the one with the lease; another one waits and says so."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from clustersight.logs import event
from clustersight.store import leases
from clustersight.store.database import Connection, Database
from clustersight.store.errors import StoreError

log = logging.getLogger(__name__)

# A standby takes over within this; three renewals may fail before.
LEASE_SECONDS = 20.0
RENEW_SECONDS = 5.0


def identity() -> str:
    """HOST:PLACE:PID:BEGAN:RANDOM, so that a process can see whether one in its own place still lives."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{_place()}:{pid}:{_began(pid)}:{secrets.token_hex(4)}"


def _place() -> str:
    """Where a process number means one process: this boot of this machine, and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""  # not Linux: nobody is ever called dead, and a lease runs out by itself


def _began(pid: int) -> str:
    """When a process began, in ticks since the boot; empty if it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The 22nd field (proc(5)); the second is a name in brackets, which may hold anything.
    return stat.rpartition(")")[2].split()[19]


def is_dead(holder: str) -> bool:
    """Whether a holder ran in this place and does no longer: kill -9 must not cost a restart 20 s."""
    parts = holder.split(":")
    if len(parts) != 5 or not parts[2].isdigit() or not _place() or parts[1] != _place():
        return False
    return _began(int(parts[2])) != parts[3]


class Leadership:
    """Takes the lease of this `name` (the kind of process), renews it, and gives it back."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._identity = identity()
        self._renewed_at = float("-inf")
        self.holder = ""

    @property
    def leads(self) -> bool:
        return self.holder == self._identity

    def holds(self, monotonic: float) -> bool:
        """Whether nobody else can lead yet, by the last renewal that went through."""
        return self.leads and monotonic - self._renewed_at < LEASE_SECONDS

    def renew(self, wall: float, monotonic: float) -> None:
        """Take or prolong the lease when it is time. Raises StoreError; who led goes on leading then."""
        if monotonic - self._renewed_at < (RENEW_SECONDS if self.leads else 1.0):
            return
        with self._database.begin() as db:
            now = leases.clock(db, wall)
            holder = leases.take(db, self._name, self._identity, now, LEASE_SECONDS)
            if holder != self._identity and is_dead(holder):
                leases.release(db, self._name, holder)
                holder = leases.take(db, self._name, self._identity, now, LEASE_SECONDS)
        self._renewed_at = monotonic
        if holder != self.holder:
            self._tell(holder)
        self.holder = holder

    def confirm(self, db: Connection, wall: float) -> bool:
        """Prolong the lease within the caller's writing transaction; False: write nothing, and start anew.

        On PostgreSQL the row stays locked until that transaction ends, on SQLite the whole store: nobody
        else leads before it is committed. Whoever slept while another one led has lost it, also when
        that one is gone again: what it remembers is old. Raises StoreError.
        """
        held = leases.prolong(db, self._name, self._identity, leases.clock(db, wall), LEASE_SECONDS)
        if not held:
            self.holder, self._renewed_at = "", float("-inf")  # the next renew() finds out who leads
        return held

    def _tell(self, holder: str) -> None:
        if holder == self._identity:
            event(log, logging.INFO, f"this {self._name} leads", store=self._database.place)
        else:
            message = f"standby: another {self._name} works on this store"
            event(log, logging.WARNING, message, holder=holder)

    def resign(self) -> None:
        """Let the next one begin at once."""
        with suppress(StoreError):  # the lease runs out by itself
            if self.leads:
                with self._database.begin() as db:
                    leases.release(db, self._name, self._identity)

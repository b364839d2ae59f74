"""How the alerter does, for /metrics, /-/ready and /-/status; read by threads that serve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from alerter.book import Book, OpenAlert
from alerter.sending import Sender
from clustersight.rules.rule import Rule
from clustersight.store import outbox
from clustersight.store.channels import UNHEALTHY
from clustersight.store.database import Database
from clustersight.store.errors import StoreError


@dataclass(slots=True)
class Status:
    """Written by the engine's thread. Times are wall seconds; `problems`: why the last reload was refused."""

    database: Database
    wall: Callable[[], float]
    senders: Callable[[], Sequence[Sender]]
    book: Callable[[], Book]
    reload_successful: bool = True
    reloaded_at: float = 0.0
    problems: str = ""
    leads: bool = False
    holder: str = ""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    hash: str = ""
    failures: int = 0
    missed: int = 0
    clock_steps: int = 0
    heartbeats: tuple[int, int] = (0, 0)
    last_pass_at: float | None = None
    last_pass_seconds: float = 0.0
    late_seconds: float = 0.0
    interval_sec: int = 30
    store_error: str = ""
    stands_by: bool = False

    def alerts(self) -> Mapping[str, int]:
        """How many are not resolved, by severity."""
        found = Counter(alert.severity.value for alert in self._open())
        return {severity: found[severity] for severity in ("warning", "critical")}

    def firing(self) -> Mapping[tuple[str, str, str], int]:
        """How many are not resolved, by rule, cluster's name and severity."""
        return Counter(
            (one.rule_name, str(one.detail["cluster_name"]), one.severity.value) for one in self._open()
        )

    def _open(self) -> list[OpenAlert]:
        """What the one remembers that led before is old, and is told by the one that leads now."""
        return [] if self.stands_by else list(self.book().alerts.values())

    def notifications(self) -> Mapping[str, Mapping[str, int]]:
        return {sender.name: dict(sender.counts.by_outcome) for sender in self.senders()}

    def channels(self) -> Mapping[str, bool]:
        """Whether each channel takes messages; whoever stands by sends none, and does not know."""
        if self.stands_by:
            return {}
        states = {sender.name: sender.state for sender in self.senders()}
        return {name: state is None or state.state != UNHEALTHY for name, state in states.items()}

    def outbox(self) -> tuple[Mapping[str, int], float]:
        """Rows by state and the age of the oldest pending one; nothing while the store cannot be read."""
        try:
            with self.database.read() as db:
                rows, oldest = outbox.counts(db)
        except StoreError:
            return {}, 0.0
        return rows, max(0.0, self.wall() - oldest) if oldest is not None else 0.0

    def not_ready(self) -> str:
        """Why this alerter cannot be relied on now; empty if it can."""
        if self.store_error:
            return f"the store fails: {self.store_error}"
        if not self.leads:
            return f"standby: {self.holder or 'nobody yet'} works on this store"
        if self.last_pass_at is None:
            return "waiting for the first evaluation"
        if self.late_seconds > max(self.interval_sec, 5):
            return f"evaluation is {self.late_seconds:.0f} s late"
        return ""

    def plain(self) -> dict[str, object]:
        """For scripts: `clustersight rules reload --wait` reads it."""
        return {
            "leads": self.leads,
            "rules": len(self.rules),
            "hash": self.hash,
            "last_reload_successful": self.reload_successful,
            "problems": self.problems.splitlines(),
            "last_evaluation_at": self.last_pass_at,
            "last_evaluation_seconds": self.last_pass_seconds,
            "alerts": dict(self.alerts()),
            "channels": dict(self.channels()),
            "ready": not self.not_ready(),
        }

"""What a visit to a node needs and what it brings: data, and what is kept of a node between visits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node
from clustersight.metrics import Sample
from clustersight.panels.panel import Greeting, Panel, Peers, Rows, Status


@dataclass(frozen=True, slots=True)
class PanelRun:
    """One run of one panel on one node. `error` is one line for a person, without secrets."""

    panel: Panel
    status: Status
    error: str = ""
    rows: Rows = ()
    samples: tuple[Sample, ...] = ()
    duration_seconds: float = 0.0
    read_rows: int = 0
    queries: int = 0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Collection:
    """One visit to one node. `up` is whether it answered at all; `started_at` is wall time."""

    node: Node
    up: bool
    error: str
    greeting: Greeting | None
    started_at: float
    duration_seconds: float
    runs: tuple[PanelRun, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one visit is to do. `timeouts_seconds` holds the panels' own, by name."""

    panels: Sequence[Panel]
    disabled: frozenset[str] = frozenset()
    deadline_seconds: float = 10.0
    timeouts_seconds: dict[str, float] = field(default_factory=dict)
    tier2_due: bool = True
    window_seconds: float = 300.0
    keeper_nodes: tuple[str, ...] = ()
    expected_readonly: tuple[str, ...] = ()
    peers: Peers | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall seconds for people, monotonic seconds for everything that is decided."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


class Watch:
    """What is kept of one node between its collections. Used by one thread at a time.

    `shares_keeper`: others of our processes ask the same Keeper, and are looked for before every question.
    """

    def __init__(
        self, node: Node, session: Session, keeper_session: Session, *, shares_keeper: bool = False
    ) -> None:
        self.node = node
        self.session = session
        self.keeper_session = keeper_session
        self.memory: dict[str, dict[str, Any]] = {}
        # A question of an earlier run of this process may still hang on the server.
        self.keeper_in_doubt = True
        self.shares_keeper = shares_keeper
        self.hostname = ""
        self.uptime_seconds = 0
        self.greeted_at = 0.0
        # Monotonic seconds; for an hour after another server answered, counters are not to be trusted.
        self.load_balanced_until = float("-inf")

    def close(self) -> None:
        self.session.close()
        self.keeper_session.close()

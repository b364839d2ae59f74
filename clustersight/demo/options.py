"""What can be chosen of a demo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clustersight.settings.listen import Listen

FREE_PORT = Listen("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Options:
    """`path` keeps the demo's files, None: a temporary folder. `zookeeper` is HOST:PORT or empty.

    No rule waits longer than `longest_for_seconds` before it fires; `rules_every_seconds` is how often those
    that would have are evaluated, None: with each collection. `skip` names steps of the workload that are
    left out.
    """

    listen: Listen
    api_listen: Listen
    alerter_listen: Listen = FREE_PORT
    inbox_listen: Listen = FREE_PORT
    path: Path | None = None
    zookeeper: str = ""
    interval_seconds: int = 10
    tier2_every: int = 3
    longest_for_seconds: int = 15
    rules_every_seconds: int | None = None
    skip: frozenset[str] = frozenset()

"""What a lint rule says of a dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """`place` is the panel (and query) within the dashboard; empty for the dashboard as a whole."""

    dashboard: str
    place: str
    rule: str
    message: str

    def __str__(self) -> str:
        place = f"{self.dashboard}: {self.place}" if self.place else self.dashboard
        return f"{place}: {self.message} [{self.rule}]"

"""What a benchmark says: figures with their bounds and peers, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from clustersight.table import table as aligned

# What a part of a measurement yields: name, unit, values, bound, peer.
Row = tuple[str, str, Sequence[float], float | None, Sequence[float]]

HEADINGS = ("measurement", "figure", "median", "min..max", "bound", "peer", "ratio", "")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. `values` are those of all runs, `peer` the same of another program in the same run.

    `bound` is the highest median that the issue allows; without one the figure is for information.
    """

    measurement: str
    name: str
    unit: str
    values: tuple[float, ...]
    bound: float | None = None
    peer: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def ratio(self) -> float | None:
        """How often the peer's figure goes into ours: below 1 we take less."""
        return self.median / median(self.peer) if self.peer and median(self.peer) else None

    @property
    def mark(self) -> str:
        if self.bound is None:
            return ""
        return "held" if self.median <= self.bound else "MISSED"

    def cells(self) -> tuple[str, ...]:
        spread = f"{number(min(self.values))}..{number(max(self.values))}" if len(self.values) > 1 else ""
        return (
            self.measurement,
            self.name,
            f"{number(self.median)} {self.unit}".strip(),
            spread,
            "" if self.bound is None else number(self.bound),
            number(median(self.peer)) if self.peer else "",
            "" if self.ratio is None else f"{self.ratio:.2g}",
            self.mark,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "measurement": self.measurement,
            "figure": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "runs": len(self.values),
            "bound": self.bound,
            "held": None if self.bound is None else self.median <= self.bound,
            "peer": median(self.peer) if self.peer else None,
            "ratio": self.ratio,
        }


def number(value: float) -> str:
    """Three digits are more than a second run will repeat."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}"


def table(figures: Iterable[Figure]) -> str:
    """Rows for a person."""
    return aligned(HEADINGS, [figure.cells() for figure in figures])

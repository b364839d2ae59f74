"""Reading history: one contract, answered by our own store or by Prometheus (design.md, "Store")."""

from __future__ import annotations

from clustersight.history.contract import (
    MOST_POINTS,
    MOST_SERIES,
    Answer,
    ClusterName,
    History,
    HistoryUnavailable,
    Point,
    Reading,
    SeriesPoints,
    Wanted,
    step_for,
)
from clustersight.history.prometheus import PrometheusHistory
from clustersight.history.stored import StoredHistory
from clustersight.settings.model import HistorySettings
from clustersight.store.database import Database

__all__ = [
    "MOST_POINTS",
    "MOST_SERIES",
    "Answer",
    "ClusterName",
    "History",
    "HistoryUnavailable",
    "Point",
    "PrometheusHistory",
    "Reading",
    "SeriesPoints",
    "StoredHistory",
    "Wanted",
    "history_of",
    "step_for",
]


def history_of(settings: HistorySettings, database: Database) -> History:
    """The source that the settings name."""
    if settings.prometheus_url is None:
        return StoredHistory(database)
    return PrometheusHistory(settings)

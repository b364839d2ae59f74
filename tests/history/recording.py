"""A cluster in a database, and samples of it written as the exporter writes them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from clustersight.store import clusters
from clustersight.store.clusters import Description
from clustersight.store.database import Database
from clustersight.store.samples import HistoryWriter, PanelHistory
from clustersight.store.schema import samples_raw, series
from clustersight.store.series import Key, identify, labels_text

PANEL = "parts"
METRIC = "clickhouse_table_parts"
HOST = "one"
# The start of a day.
DAY = 1_790_035_200

Values = Mapping[Key, float]


def key(metric: str = METRIC, **labels: str) -> Key:
    return Key(metric, labels_text(labels))


def add_cluster(database: Database) -> str:
    """The id of a new cluster."""
    name = f"c{uuid.uuid4().hex}"
    with database.begin() as db:
        return clusters.create(db, Description(name, name, 8123), None, 0.0).id


class Recording:
    """Writes visits to one cluster, each in a transaction of its own."""

    def __init__(self, database: Database, cluster_id: str = "") -> None:
        self.database = database
        self.cluster_id = cluster_id or add_cluster(database)
        self.writer = HistoryWriter()

    def visit(self, at: int, *runs: PanelHistory, host: str = HOST) -> int:
        """Returns the number of rows written."""
        with self.database.begin() as db:
            written = self.writer.write(db, self.cluster_id, host, at, runs)
        self.writer.confirm(written)
        return written.rows

    def say(self, at: int, values: Values | float | None, *, host: str = HOST, panel: str = PANEL) -> int:
        """One panel's values; one number stands for one series without labels, None for a run that fails."""
        found = {key(): values} if isinstance(values, float | int) else values
        return self.visit(at, PanelHistory(panel, found is not None, found or {}), host=host)

    def rows(self, of: Key | None = None) -> list[tuple[int, float | None]]:
        """What is stored of a series, or of all."""
        query = select(samples_raw.c.at, samples_raw.c.value).join(
            series, series.c.id == samples_raw.c.series_id
        )
        query = query.where(series.c.cluster_id == self.cluster_id)
        if of is not None:
            query = query.where(series.c.metric == of.metric, series.c.labels_json == of.labels_json)
        with self.database.read() as db:
            return [tuple(row) for row in db.execute(query.order_by(samples_raw.c.at, series.c.id))]

    def series_ids(self, *keys: Key, host: str = HOST) -> list[int]:
        """New series without samples."""
        with self.database.begin() as db:
            found = identify(db, self.cluster_id, host, dict.fromkeys(keys, PANEL), DAY)
        return [found[one] for one in keys]

    def write_rows(self, series_id: int, rows: Iterable[tuple[int, float | None]]) -> None:
        """Rows as they are, past the writer."""
        found = [{"series_id": series_id, "at": at, "value": value} for at, value in rows]
        with self.database.begin() as db:
            if found:
                db.execute(samples_raw.insert(), found)


def table(database: Database, *columns: Any) -> list[tuple[Any, ...]]:
    """Columns of a table as plain tuples, in their order."""
    with database.read() as db:
        return [tuple(row) for row in db.execute(select(*columns).order_by(*columns))]

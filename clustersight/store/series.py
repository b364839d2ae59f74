"""Series: one metric with its labels on one node, whose number stands in each sample's row."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from clustersight.store.schema import samples_raw, series


class Key(NamedTuple):
    """What tells the series of a node apart: the Prometheus name, and labels_text() of its labels."""

    metric: str
    labels_json: str


@dataclass(frozen=True, slots=True)
class StoredSeries:
    """One series; `host` is '' for a cluster's own, `created_at` in epoch seconds."""

    id: int
    host: str
    panel: str
    metric: str
    labels_json: str
    created_at: int

    @property
    def labels(self) -> dict[str, str]:
        """Parsed when asked for: of thousands of series few are shown."""
        found: dict[str, str] = json.loads(self.labels_json)
        return found


_STORED = [series.c[field.name] for field in fields(StoredSeries)]


class LastSample(NamedTuple):
    """The last row of a series that has a value."""

    series_id: int
    panel: str
    key: Key
    at: int
    value: float


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as a series stores them: JSON with sorted keys, without `cluster` and `host`."""
    return json.dumps(labels, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def of_metrics(
    db: Connection,
    cluster_id: str,
    metrics: Collection[str],
    host: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> list[StoredSeries]:
    """The series of some metrics, of all hosts or one, that have all of these label values."""
    query = select(*_STORED).where(series.c.cluster_id == cluster_id, series.c.metric.in_(metrics))
    if host is not None:
        query = query.where(series.c.host == host)
    wanted = labels or {}
    for name, value in wanted.items():
        # The database looks for the text, whatever its case; the label itself is compared below.
        fragment = labels_text({name: value})[1:-1]
        query = query.where(series.c.labels_json.contains(fragment, autoescape=True))
    rows = db.execute(query.order_by(series.c.metric, series.c.host, series.c.labels_json))
    found = [StoredSeries(*row) for row in rows]
    return [one for one in found if wanted.items() <= one.labels.items()] if wanted else found


def of_panel(db: Connection, cluster_id: str, panel: str) -> list[StoredSeries]:
    """Every series of a panel, on all hosts."""
    query = select(*_STORED).where(series.c.cluster_id == cluster_id, series.c.panel == panel)
    return [StoredSeries(*row) for row in db.execute(query)]


def alive(db: Connection, cluster_id: str, host: str, since: int) -> list[LastSample]:
    """The series of a host whose last row has a value and is later than `since` (epoch seconds)."""
    rows_of_series = samples_raw.c.series_id == series.c.id

    # A subquery for each column is two seeks in the same page; a join may end as a scan of all samples.
    def last(column: Any) -> Any:
        newest = select(column).where(rows_of_series).order_by(samples_raw.c.at.desc()).limit(1)
        return newest.scalar_subquery()

    columns = (series.c.id, series.c.panel, series.c.metric, series.c.labels_json)
    query = select(*columns, last(samples_raw.c.at).label("at"), last(samples_raw.c.value).label("value"))
    rows = db.execute(query.where(series.c.cluster_id == cluster_id, series.c.host == host))
    return [
        LastSample(r.id, r.panel, Key(r.metric, r.labels_json), r.at, r.value)
        for r in rows
        if r.value is not None and r.at > since
    ]


def latest_at(db: Connection, cluster_id: str, host: str) -> int | None:
    """The time of the last row of a host, whether it has a value or not."""
    newest = select(samples_raw.c.at).where(samples_raw.c.series_id == series.c.id)
    last = newest.order_by(samples_raw.c.at.desc()).limit(1).scalar_subquery()
    query = select(last.label("at")).where(series.c.cluster_id == cluster_id, series.c.host == host)
    return db.execute(select(func.max(query.subquery().c.at))).scalar()


def identify(db: Connection, cluster_id: str, host: str, keys: Mapping[Key, str], at: int) -> dict[Key, int]:
    """The ids of series, by key; made where they are new. `keys` gives each one's panel."""
    rows: Sequence[dict[str, Any]] = [
        {
            "cluster_id": cluster_id,
            "host": host,
            "panel": panel,
            "metric": metric,
            "labels_json": labels_json,
            "created_at": at,
        }
        for (metric, labels_json), panel in keys.items()
    ]
    if not rows:
        return {}
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    statement = insert(series)
    identity = [series.c.cluster_id, series.c.metric, series.c.host, series.c.labels_json]
    # Without a change RETURNING would leave out those that are there.
    upsert = statement.on_conflict_do_update(
        index_elements=identity, set_={"panel": statement.excluded.panel}
    )
    found = db.execute(upsert.returning(series.c.id, series.c.metric, series.c.labels_json), rows)
    return {Key(row.metric, row.labels_json): row.id for row in found}

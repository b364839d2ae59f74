"""Health scores as they were published, with what explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from clustersight.store import future
from clustersight.store.packing import pack, unpack
from clustersight.store.schema import health_scores
from clustersight.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class StoredScore:
    """`at` is in epoch seconds; `explanation` is the health panel's payload."""

    cluster_id: str
    at: int
    score: float | None
    grade: str | None
    explanation: dict[str, Any]


def put(db: Connection, score: StoredScore) -> None:
    """Remember a score, which is the latest: what was said after it was said by a clock that was ahead."""
    future.forget_scores(db, score.cluster_id, score.at)
    row = {
        "cluster_id": score.cluster_id,
        "at": score.at,
        "score": score.score,
        "grade": score.grade,
        "explanation_packed": pack(score.explanation),
    }
    upsert(db, health_scores, [row])


def latest(db: Connection, cluster_id: str, until: float) -> StoredScore | None:
    """The last score at or before a time."""
    query = select(health_scores).where(
        health_scores.c.cluster_id == cluster_id, health_scores.c.at <= int(until)
    )
    row = db.execute(query.order_by(health_scores.c.at.desc()).limit(1)).first()
    return _read(row) if row else None


def latest_known(db: Connection, cluster_id: str, until: float) -> StoredScore | None:
    """The last one at or before a time that is no null."""
    query = select(health_scores).where(
        health_scores.c.cluster_id == cluster_id,
        health_scores.c.at <= int(until),
        health_scores.c.score.is_not(None),
    )
    row = db.execute(query.order_by(health_scores.c.at.desc()).limit(1)).first()
    return _read(row) if row else None


def _read(row: Row[Any]) -> StoredScore:
    return StoredScore(row.cluster_id, row.at, row.score, row.grade, unpack(row.explanation_packed))

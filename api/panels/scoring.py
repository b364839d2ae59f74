"""The panel health-score: the exporter's while it is fresh, else computed here out of a live run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from api.context import Context
from api.envelope import Rendered
from api.errors import NotFound, of_field
from api.live.following import Following, Watched
from api.live.visits import Visits, ends_of_live
from api.moment import Moment, epoch
from api.panels.json import rendered
from api.panels.kept import Form, Kept
from api.panels.looks import Looks
from api.panels.meta import meta_of
from api.panels.routes import PanelQuery
from api.panels.runs import NodeRun, failure_of_all
from api.resource import Answer, Shape
from clustersight.collection import Collection
from clustersight.health import NodeState
from clustersight.panels import ALL
from clustersight.panels.panel import Status
from clustersight.plans import SKEW_SECONDS
from clustersight.scores import Scorer
from clustersight.self_metrics import node_samples, panel_samples
from clustersight.store import health_scores, nodes
from clustersight.store.health_scores import StoredScore

NAME = "health-score"
# Old scores are thinned to one a day.
SLACK_SECONDS = 86_400
_EPOCH = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)
EXAMPLE: dict[str, Any] = {
    "overall_score": 87.4,
    "grade": "B+",
    "trend": "stable",
    "previous_score": 85.0,
    "components": {
        "storage": {
            "score": 82.0,
            "label": "Storage",
            "weight": 0.2,
            "deductions": [
                {
                    "points": 18.0,
                    "reason": "a disk is 84 % full",
                    "metric_key": "disk.usage_pct",
                    "labels": {"host": "ch1.internal", "disk": "default"},
                    "value": 84.0,
                }
            ],
            "missing": [],
            "note": "",
        }
    },
    "calculated_at": "2026-03-22T14:00:00Z",
}


class HealthScoreQuery(PanelQuery):
    """`at` asks for the score as it was published then."""

    at: Annotated[
        str | None,
        Field(
            max_length=40,
            description="ISO 8601 with zone, or epoch seconds.",
            examples=["2026-03-22T14:00:00Z"],
        ),
    ] = None


class ScoreDeduction(Shape):
    """What takes points off, and the series that shows it."""

    points: float
    reason: str
    metric_key: str | None
    labels: dict[str, str]
    value: float


class ScoreComponent(Shape):
    """A fifth of the score; `missing` names the inputs that are not known."""

    score: float | None
    label: str
    weight: float
    deductions: list[ScoreDeduction]
    missing: list[str]
    note: str


class HealthScore(Shape):
    """The score of a cluster, 0..100; null while too little is known."""

    overall_score: float | None
    grade: str | None
    trend: Literal["improving", "declining", "stable"]
    previous_score: float | None = Field(description="One hour earlier.")
    components: dict[str, ScoreComponent]
    calculated_at: str


@dataclass(frozen=True, slots=True)
class Score:
    """A score that can be shown; `at` in epoch seconds."""

    at: float
    value: float | None
    data: Rendered
    meta: dict[str, Any]


class Scores:
    """One per process: `current().of(Scores)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._visits = context.of(Visits)
        self._kept: Kept[Score] = Kept(context, Form(_plain, _read))
        self._looks: Looks[Score | None] = Looks(context.clock.monotonic)

    def answer(self, query: HealthScoreQuery) -> Answer[Any, Any]:
        """Raises ApiError and StoreError."""
        watched = self._context.of(Following).cluster(query.cluster_id)
        if query.at is not None:
            return self._shown(self._earlier(watched, seconds_of(query.at)), stale=True)
        seconds = watched.collection.interval_sec + self._context.settings.api.cache_ttl_sec
        stored = self._latest(watched)
        if stored is not None and stored.value is not None and self._context.now - stored.at < seconds:
            return self._shown(stored)
        kept = self._kept.find(watched, NAME)
        if kept is not None:
            return self._shown(kept)
        if query.max_age is not None and (known := self._known(watched, query.max_age)) is not None:
            return self._shown(known, stale=True)
        ends = ends_of_live()
        made = self._kept.make(watched, NAME, lambda: self._live(watched, ends))
        return self._shown(made, cache_hit=False)

    def _shown(self, score: Score, *, cache_hit: bool = True, stale: bool = False) -> Answer[Any, Any]:
        age = round(max(0.0, self._context.now - score.at), 3)
        return Answer(score.data, {**score.meta, "cache_hit": cache_hit, "age_sec": age, "stale": stale})

    def _latest(self, watched: Watched) -> Score | None:
        return self._looks.look(watched.id, lambda: self._stored(watched))

    def _stored(self, watched: Watched) -> Score | None:
        with self._context.database.read() as db:
            return self._score(
                watched, health_scores.latest(db, watched.id, self._context.now + SKEW_SECONDS)
            )

    def _known(self, watched: Watched, max_age: int) -> Score | None:
        now = self._context.now
        with self._context.database.read() as db:
            found = health_scores.latest_known(db, watched.id, now)
        return self._score(watched, found) if found is not None and now - found.at <= max_age else None

    def _earlier(self, watched: Watched, at: float) -> Score:
        with self._context.database.read() as db:
            found = health_scores.latest(db, watched.id, at)
        score = self._score(watched, found)
        if score is None or score.at < at - SLACK_SECONDS:
            raise NotFound("there is no score of that time; the exporter did not run, or it has expired")
        return score

    def _score(self, watched: Watched, stored: StoredScore | None) -> Score | None:
        if stored is None:
            return None
        with self._context.database.read() as db:
            known = nodes.of_cluster(db, watched.id)
        runs = [_run(node.host, node.error, stored.at, up=node.is_up) for node in known]
        return _made(watched, stored.at, stored.score, stored.explanation, runs)

    def _live(self, watched: Watched, ends: float) -> Score:
        with self._context.database.read() as db:
            known = nodes.of_cluster(db, watched.id)
        visits = self._visits.run(watched, ALL, self._visits.nodes(watched, known), ends)
        now = self._context.now
        runs = [_run(one.node.host, one.error, now, up=one.up) for one in visits]
        if not any(visit.up for visit in visits):
            raise failure_of_all(runs)
        # The exporter publishes the lower of two collections; here there is only this one.
        scored = Scorer().score(
            self._context.database, watched.id, [_state(one) for one in visits], now, watched.settings
        )
        return _made(watched, now, scored.health.score, scored.payload, runs)


def _plain(score: Score) -> dict[str, Any]:
    return {"at": score.at, "value": score.value, "data": score.data.json.decode(), "meta": score.meta}


def _read(plain: dict[str, Any]) -> Score:
    return Score(plain["at"], plain["value"], Rendered(plain["data"].encode()), plain["meta"])


def _run(host: str, error: str, at: float, *, up: bool) -> NodeRun:
    return NodeRun(host, up, Status.OK if up else Status.ERROR, error, at, at if up else None)


def _made(
    watched: Watched, at: float, value: float | None, payload: dict[str, Any], runs: Sequence[NodeRun]
) -> Score:
    meta = meta_of(watched.id, runs, ())
    meta["collected_at"] = payload["calculated_at"]
    return Score(at, value, rendered(payload), meta)


def _state(visit: Collection) -> NodeState:
    """A node as this visit found it."""
    own = [
        *node_samples(visit, visit.node),
        *panel_samples({run.panel.name: run for run in visit.runs}, {}, {}),
    ]
    samples = [sample for run in visit.runs if run.status is Status.OK for sample in run.samples]
    return NodeState(visit.node.host, visit.node.shard, visit.up, [*own, *samples])


def seconds_of(text: str) -> float:
    """Epoch seconds of `?at=`. Raises Invalid."""
    if _EPOCH.fullmatch(text):
        return float(text)
    try:
        return epoch(_MOMENT.validate_python(text))
    except ValidationError:
        message = "must be a time such as 2026-03-22T14:00:00Z, or epoch seconds"
        raise of_field("at", message) from None

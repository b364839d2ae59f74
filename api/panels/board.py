"""The decision for each request: what is stored, a live run that is kept, or a live run now."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from api.context import Context
from api.envelope import Rendered
from api.errors import StoreUnavailable
from api.flight import Flight
from api.live.following import Following, Watched
from api.live.rooms import RETRY_SECONDS, Crowded, Rooms
from api.live.visits import Visits, ends_of_live
from api.panels.composing import Compose, Composing
from api.panels.freshness import hosts_seen, hosts_that_tell, is_fresh
from api.panels.json import rendered
from api.panels.kept import Form, Kept
from api.panels.meta import collected_at, meta_of
from api.panels.past import Past
from api.panels.runs import NodeRun, failure_of_all, live_run, plain_runs, read_runs, rows_of
from api.panels.shelf import Shelf
from api.panels.stored import Look, Stored
from api.resource import Answer
from clustersight.history import HistoryUnavailable
from clustersight.panels.panel import Panel
from clustersight.plans import interval_of

# Of each worker, which in all must stay below 150 MiB; a panel of 2000 rows is half a megabyte.
MOST_BYTES = 16 * 1024 * 1024
# Putting an answer together may take a tenth of a second, in which the one before it does for the others.
WHILE_RENDERING_SECONDS = 1.0
NO_HISTORY = "history_unavailable"
SLOW_HISTORY = "the history does not answer in time, and others wait for it already; try again in a moment"
# Of 32 threads, for each of four panels: with those who wait for ClickHouse it leaves a dozen.
MOST_WAITING_FOR_HISTORY = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell of a panel, and by which nodes. `is_stored`: rows have to be loaded yet."""

    runs: tuple[NodeRun, ...]
    hosts: frozenset[str]
    cache_hit: bool
    stale: bool = False
    is_stored: bool = False

    @property
    def identity(self) -> Hashable:
        return (tuple(run.identity for run in self.runs), self.hosts)


@dataclass(slots=True)
class Item:
    """An answer on the shelf, with what its meta always says; in monotonic seconds:

    `until` when it is good, if the panel does not run again, and `current_at` when it was so last.
    """

    identity: Hashable
    hosts: frozenset[str]
    data: Rendered
    meta: dict[str, Any]
    collected_at: float
    until: float
    current_at: float

    @property
    def size(self) -> int:
        return len(self.data.json)


class Board:
    """One per process: `current().of(Board)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stored = context.of(Stored)
        self._visits = context.of(Visits)
        self._kept: Kept[tuple[NodeRun, ...]] = Kept(context, Form(plain_runs, read_runs))
        self._shelf: Shelf[Item] = Shelf(MOST_BYTES)
        self._rendering: Flight[Item] = Flight()
        self._rooms = context.of(Rooms)
        self._past = context.of(Past)

    def answer(
        self, cluster_id: str | None, panel: Panel, compose: Compose, variant: Hashable, max_age: int | None
    ) -> Answer[Any, Any]:
        """The answer for `?cluster_id=` and `?max_age=`; `variant` names what else `compose` depends on.

        Raises ApiError and StoreError.
        """
        watched = self._context.of(Following).cluster(cluster_id)
        told = self.told(watched, panel, max_age)
        item = self._item(watched, panel, compose, variant, told)
        age = max(0.0, self._context.now - item.collected_at)
        meta = {**item.meta, "cache_hit": told.cache_hit, "age_sec": round(age, 3), "stale": told.stale}
        return Answer(item.data, meta)

    def told(self, watched: Watched, panel: Panel, max_age: int | None) -> Told:
        """What there is to tell of a panel now. Raises ApiError and StoreError."""
        look = self._stored.look(watched.id, panel)
        found = self._fresh(watched, panel, look) or self._live_kept(watched, panel)
        if found is None and max_age is not None:
            found = self._older(look, max_age)
        return found or self._live(watched, panel, look)

    def _fresh(self, watched: Watched, panel: Panel, look: Look) -> Told | None:
        seconds = interval_of(panel, watched.collection) + self._context.settings.api.cache_ttl_sec
        if not is_fresh(look.runs, look.hosts, self._context.now, seconds):
            return None
        return Told(look.runs, hosts_that_tell(look.runs), cache_hit=True, is_stored=True)

    def _live_kept(self, watched: Watched, panel: Panel) -> Told | None:
        runs = self._kept.find(watched, panel.name)
        return Told(runs, hosts_that_tell(runs), cache_hit=True) if runs is not None else None

    def _older(self, look: Look, max_age: int) -> Told | None:
        hosts = hosts_seen(look.runs, self._context.now, max_age)
        return Told(look.runs, hosts, cache_hit=True, stale=True, is_stored=True) if hosts else None

    def _live(self, watched: Watched, panel: Panel, look: Look) -> Told:
        ends = ends_of_live()
        runs = self._kept.make(watched, panel.name, lambda: self._run(watched, panel, look, ends))
        return Told(runs, hosts_that_tell(runs), cache_hit=False)

    def _run(self, watched: Watched, panel: Panel, look: Look, ends: float) -> tuple[NodeRun, ...]:
        nodes = self._visits.nodes(watched, look.nodes)
        collections = self._visits.run(watched, [panel], nodes, ends)
        runs = tuple(live_run(one, panel, next(iter(one.runs), None)) for one in collections)
        if not any(run.tells for run in runs):
            raise failure_of_all(runs)
        return runs

    def _item(self, watched: Watched, panel: Panel, compose: Compose, variant: Hashable, told: Told) -> Item:
        key = (watched.id, panel.name, variant, told.stale)
        item, now = self._shelf.get(key), self._monotonic
        if item is not None and item.identity == told.identity and now < item.until:
            item.current_at = now
            return item
        recent = item is not None and now - item.current_at < WHILE_RENDERING_SECONDS
        flight = (key, told.identity)
        # A live run is told to those who asked for it, and nobody is told of other nodes.
        same = item is not None and item.hosts == told.hosts and (told.is_stored or told.cache_hit)
        if item is not None and recent and same and self._rendering.is_under_way(flight):
            return item
        work = partial(self._render, key, watched, panel, compose, told)
        if watched.settings.history.prometheus_url is None:
            return self._rendering.do(flight, work)
        try:
            with self._rooms.room(("history", panel.name), MOST_WAITING_FOR_HISTORY):
                return self._rendering.do(flight, work)
        except Crowded:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise StoreUnavailable(SLOW_HISTORY, code=NO_HISTORY, headers=headers) from None

    def _render(self, key: Hashable, watched: Watched, panel: Panel, compose: Compose, told: Told) -> Item:
        told = self._loaded(watched, panel, told)
        composing = Composing(
            watched=watched,
            rows=rows_of(told.runs, told.hosts),
            now=self._context.now,
            history=self._past.history(watched.settings.history),
        )
        try:
            composed = compose(composing)
        except HistoryUnavailable as error:
            raise StoreUnavailable(f"the history cannot be asked: {error}", code=NO_HISTORY) from None
        now = self._monotonic
        item = Item(
            identity=told.identity,
            hosts=told.hosts,
            data=rendered(composed.data),
            meta=meta_of(watched.id, told.runs, told.hosts) | composed.meta,
            collected_at=collected_at(told.runs, told.hosts),
            until=now + composed.seconds,
            current_at=now,
        )
        self._shelf.put(key, item)
        return item

    def _loaded(self, watched: Watched, panel: Panel, told: Told) -> Told:
        """With rows; the panel may have run again meanwhile."""
        if not told.is_stored:
            return told
        runs = self._stored.load(watched.id, panel).runs
        return replace(told, runs=runs, hosts=told.hosts if told.stale else hosts_that_tell(runs))

    @property
    def _monotonic(self) -> float:
        return self._context.clock.monotonic()

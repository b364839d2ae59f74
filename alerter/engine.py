"""A pass: look, evaluate, and write what changed with what is to be sent, in one transaction."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerter import book as books
from alerter import telling
from alerter.book import Book
from alerter.changes import States, states_after
from alerter.planner import Target
from alerter.quiet import Silences
from alerter.sight import Sight
from alerter.steady import SteadyClock
from alerter.writing import Scene, Writing
from clustersight.alerts.evaluate import Evaluation, evaluate
from clustersight.alerts.instance import Phase
from clustersight.logs import event
from clustersight.process.leadership import Leadership
from clustersight.rules.rule import Rule
from clustersight.store import passes
from clustersight.store.database import Database
from clustersight.store.passes import Pass

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Another alerter leads: nothing was written, and everything must be read anew."""


@dataclass(slots=True)
class Found:
    """What a rule's evaluation found, for the API: seconds, samples, and an error or nothing."""

    evaluation: Evaluation | None
    seconds: float
    error: str = ""


class Engine:
    """Used by one thread. What it knows of alerts is the book, which is replaced when it begins to lead."""

    def __init__(self, database: Database, clock: SteadyClock, sight: Sight, leadership: Leadership) -> None:
        self._database = database
        self._clock = clock
        self._leadership = leadership
        self.sight = sight
        self.rules: Mapping[str, Rule] = {}
        self.targets: Sequence[Target] = ()
        self.book = Book()
        # Held while something is written that book and store must both know, by engine and senders.
        self.lock = threading.RLock()
        self._silences = Silences(clock)
        self._failing: set[str] = set()
        self.failures = 0

    def begin(self) -> None:
        """Take over what a predecessor left. Raises StoreError."""
        with self.lock, self._database.read() as db:
            self.book = books.load(db, self._clock)
        self.sight.refresh()  # before anything is said of an alert, names and evidence must be known
        event(log, logging.INFO, "took over", alerts=len(self.book.alerts))

    def run(self, due: Iterable[str], interval_sec: int | None) -> int:
        """One pass over these rules (ids); without an interval only what people did is looked at.

        Returns how many rows for channels were written. Raises StoreError and LeaseLost: then nothing of
        it happened.
        """
        began = self._clock.monotonic()
        if interval_sec is not None:
            self.sight.refresh()
        found = {rule_id: self._evaluate(rule_id) for rule_id in due}
        evaluated = {rule_id: one.evaluation for rule_id, one in found.items() if one.evaluation is not None}
        states = states_after(self.book, self.rules, evaluated)
        scene = Scene(self._clock, self.sight, self._silences, self.rules, self.targets, self.book)
        writing = Writing(scene, states, evaluated)
        # Under the lock until the book says so too: no sender ends a row that the book does not know.
        with self.lock:
            with self._database.begin() as db:
                if not self._leadership.confirm(db, self._clock.wall()):
                    raise LeaseLost
                written = writing.write(db)
                if interval_sec is not None:
                    seconds = self._clock.monotonic() - began
                    passes.put(db, self._pass(interval_sec, found, states, seconds))
            telling.tell(*writing.told)
            writing.adopt()
        return written

    def _evaluate(self, rule_id: str) -> Found:
        rule = self.rules[rule_id]
        began = self._clock.monotonic()
        before = self.book.instances.get(rule_id, {})
        try:
            found = evaluate(rule, before, self.sight, self._clock.now())
        except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from being looked at
            self._tell(rule, error)
            return Found(None, self._clock.monotonic() - began, f"{type(error).__name__}: {error}"[:300])
        self._failing.discard(rule_id)
        return Found(found, self._clock.monotonic() - began)

    def _tell(self, rule: Rule, error: Exception) -> None:
        self.failures += 1
        if rule.name not in self._failing:
            log.error("rule %s cannot be evaluated", rule.name, exc_info=error)
        self._failing.add(rule.name)

    def _pass(self, interval_sec: int, found: Mapping[str, Found], states: States, seconds: float) -> Pass:
        return Pass(
            interval_sec=interval_sec,
            at=self._clock.wall(),
            duration_seconds=seconds,
            steady=self._clock.now(),
            found={rule_id: self._summary(rule_id, one, states) for rule_id, one in found.items()},
        )

    @staticmethod
    def _summary(rule_id: str, one: Found, states: States) -> list[Any]:
        """As the API shows it: state, seconds, samples, error."""
        known = states.instances.get(rule_id, {}).values()
        if one.error or one.evaluation is None:
            return ["error", round(one.seconds, 6), 0, one.error]
        state = "inactive"
        if any(instance.phase is Phase.FIRING for instance in known):
            state = "firing"
        elif known:
            state = "pending"
        elif one.evaluation.blind:
            state = "no_data"
        return [state, round(one.seconds, 6), one.evaluation.samples, ""]

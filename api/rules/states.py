"""What the alerter last found of each rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from api.rules.shapes import EvaluationShape, RuleDetail, RuleShape, RuleState
from clustersight.rules.definition import definition_of, rule_of
from clustersight.store import alerts, passes
from clustersight.store.database import Connection
from clustersight.store.passes import KEPT, Pass
from clustersight.store.rules import StoredRule
from clustersight.times import iso


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one rule; `at` in epoch seconds."""

    at: float
    state: RuleState
    seconds: float
    samples: int
    error: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The last evaluation of each rule, by id, and how many alerts are unresolved, by rule name."""

    last: Mapping[str, Evaluation]
    active: Mapping[str, int]


def standing(db: Connection) -> Standing:
    """Of all rules."""
    # The newest of each: a rule whose interval was changed is in passes of both.
    newest = sorted(passes.latest(db), key=lambda one: one.at)
    last = {rule_id: _evaluation(one.at, found) for one in newest for rule_id, found in one.found.items()}
    return Standing(last, alerts.unresolved_by_rule(db))


def evaluations(db: Connection, rule_id: str) -> list[Evaluation]:
    """The last ones of a rule, the newest first."""
    return list(_of_rule(passes.every(db), rule_id))[:KEPT]


def _of_rule(found: Iterable[Pass], rule_id: str) -> Iterable[Evaluation]:
    return (_evaluation(one.at, one.found[rule_id]) for one in found if rule_id in one.found)


def _evaluation(at: float, found: list[Any]) -> Evaluation:
    state, seconds, samples, error = found
    return Evaluation(at, RuleState(state), seconds, samples, error)


def shape_of(stored: StoredRule, known: Standing) -> RuleShape:
    """A rule as lists have it."""
    return RuleShape(**_fields(stored, known))


def detail_of(stored: StoredRule, known: Standing, found: Iterable[Evaluation]) -> RuleDetail:
    """A rule with its last evaluations."""
    shown = [
        EvaluationShape(
            at=str(iso(one.at)),
            duration_seconds=one.seconds,
            samples=one.samples,
            state=one.state,
            error=one.error or None,
        )
        for one in found
    ]
    return RuleDetail(**_fields(stored, known), evaluations=shown)


def _fields(stored: StoredRule, known: Standing) -> dict[str, Any]:
    rule, last = rule_of(stored), known.last.get(stored.id)
    return {
        "id": stored.id,
        "name": stored.name,
        "rule_type": stored.rule_type,
        "origin": stored.origin,
        "enabled": stored.enabled,
        **definition_of(rule),
        "state": last.state if last is not None and stored.enabled else RuleState.INACTIVE,
        "last_evaluated_at": iso(last.at) if last is not None else None,
        "last_error": (last.error or None) if last is not None else None,
        "active_alerts": known.active.get(rule.identity, 0),
    }

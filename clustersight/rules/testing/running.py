"""Runs a test: what fires and what is sent, against what was to be."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clustersight.rules.rule import Rule
from clustersight.rules.testing.cases import AlertCheck, Case, ExpectedAlert, ExpectedNotice
from clustersight.rules.testing.feeding import feed
from clustersight.rules.testing.life import Alert, Life, Sent, times
from clustersight.rules.testing.sight import TestSight
from clustersight.yaml_tree import Place


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not as expected: lines of what was to be (`exp`) and of what was (`got`)."""

    place: Place
    alertname: str
    time: int
    what: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """`firing` are rules that were to fire and did, `silent` those that were not to, and never did."""

    case: Case
    failures: list[Failure] = field(default_factory=list)
    firing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)


def run(case: Case, rules: Collection[Rule]) -> Outcome:
    """Run one test of these rules, whose series have no problem."""
    sql = {rule.name for rule in rules if rule.sql is not None}
    sight = TestSight([fed for one in case.series for fed in feed(one, sql)], case.interval)
    # A rule without any series of its panel never is anything.
    life = Life([r for r in rules if sight.has(r.metric_key)], sight, case.evaluation_interval)
    outcome = Outcome(case)
    fired: set[str] = set()
    for at, until in times(case.last_time, case.evaluation_interval):
        life.step(at)
        fired |= {name for alert in life.open.values() for name in alert.names}
        _look(case, life, range(at, until), outcome)
    if case.notices is not None:
        outcome.failures += _notice_failures(case, case.notices, life.sent)
    outcome.silent |= _silent(case, rules, sight) - fired
    return outcome


def _look(case: Case, life: Life, during: range, outcome: Outcome) -> None:
    """What is expected between this pass and the next; then people act."""
    for check in case.checks:
        if check.eval_time in during:
            got = life.named(check.alertname)
            failure = _compare(check, got)
            if failure is not None:
                outcome.failures.append(failure)
            elif check.expected:
                outcome.firing |= {alert.rule.name for alert in got}
    for action in case.actions:
        if action.time in during and not life.act(action):
            what = f"nothing of this name fires that one could {action.deed}"
            place = action.spot.document.tree.place(action.spot.keys)
            outcome.failures.append(Failure(place, action.alertname, action.time, what, (), ()))


def _silent(case: Case, rules: Collection[Rule], sight: TestSight) -> set[str]:
    """The rules that a check expects nothing of although their key has values."""
    named = {check.alertname for check in case.checks if not check.expected}
    return {
        rule.name for rule in rules if {rule.name, rule.identity} & named and sight.feeds(rule.metric_key)
    }


def _compare(check: AlertCheck, got: Sequence[Alert]) -> Failure | None:
    left = list(got)
    for wanted in check.expected:
        found = next((one for one in left if _is(one, wanted)), None)
        if found is None:
            break
        left.remove(found)
    else:
        if not left:
            return None
    names = {name for wanted in check.expected for name in wanted.annotations}
    return Failure(
        check.spot.document.tree.place(check.spot.keys),
        check.alertname,
        check.eval_time,
        "alerts",
        tuple(_line(one.labels, one.annotations) for one in check.expected),
        tuple(_line(one.labels, _only(one.annotations, names)) for one in got),
    )


def _is(alert: Alert, wanted: ExpectedAlert) -> bool:
    texts = alert.annotations if wanted.annotations else {}
    return alert.labels == wanted.labels and all(
        texts.get(name, "") == text for name, text in wanted.annotations.items()
    )


def _only(texts: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name in names}


def _line(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """As promtool writes it, on one line."""
    told = f"Labels:{_braces(labels)}"
    return f"{told} Annotations:{_braces(annotations)}" if annotations else told


def _braces(pairs: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={text!r}" for name, text in sorted(pairs.items())) + "}"


def _notice_failures(
    case: Case, expected: Sequence[ExpectedNotice], sent: Sequence[Sent]
) -> Iterator[Failure]:
    """Which messages were to be sent and were not, and the other way round."""
    left = list(sent)
    missing = []
    # Those that say most choose first.
    for wanted in sorted(expected, key=lambda one: -len(one.labels or ())):
        found = next((one for one in left if _fulfils(one, wanted, case.evaluation_interval)), None)
        if found is None:
            missing.append(wanted)
        else:
            left.remove(found)
    for wanted in missing:
        place = wanted.spot.document.tree.place(wanted.spot.keys)
        others = tuple(_told(one) for one in left if wanted.alertname in one.names)
        said = f"{wanted.eval_time}s {wanted.kind} {wanted.alertname}" + _and(wanted.labels)
        yield Failure(place, wanted.alertname, wanted.eval_time, "a message was not sent", (said,), others)
    place = case.spot.document.tree.place((*case.spot.keys, "exp_notifications"))
    for one in left:
        yield Failure(place, one.name, one.at, "a message was sent", (), (_told(one),))


def _fulfils(sent: Sent, wanted: ExpectedNotice, interval: int) -> bool:
    """Whether it went in the pass that holds at the time."""
    labels = wanted.labels or {}
    timely = sent.at <= wanted.eval_time < sent.at + interval
    return timely and sent.kind is wanted.kind and wanted.alertname in sent.names and _has(sent, labels)


def _has(sent: Sent, labels: Mapping[str, str]) -> bool:
    return labels.items() <= sent.labels.items()


def _told(one: Sent) -> str:
    return f"{one.at}s {one.kind} {one.name}{_and(one.labels)}"


def _and(labels: Mapping[str, str] | None) -> str:
    return f" {_braces(labels)}" if labels else ""

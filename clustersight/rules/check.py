"""Everything that is wrong with rules: each by itself, and together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from clustersight.rules import relations, rule, sql_rule, text_faults
from clustersight.rules.drafts import Draft
from clustersight.rules.relations import Names
from clustersight.rules.rule import Fault, Rule, labels_of


def faults(one: Rule) -> Iterator[Fault]:
    """What is wrong with a rule of any origin, whatever other rules there are."""
    yield from rule.faults(one)
    yield from _label_faults(one)
    yield from sql_rule.faults(one)
    yield from text_faults.faults(one)


def _label_faults(one: Rule) -> Iterator[Fault]:
    """A label of the rule that stood for the metric's would make one alert of many."""
    for label in one.labels.keys() & set(labels_of(one) or ()):
        yield Fault(f"labels.{label}", "is a label of the metric; choose another name")


def check(drafts: Sequence[Draft], unreadable: Collection[str], known: Mapping[str, Rule]) -> None:
    """Note every fault at its place. `known` are rules from elsewhere, which drafts may replace.

    `unreadable` are names of rules whose own problems have been said.
    """
    rules = {**known, **{draft.rule.name: draft.rule for draft in drafts}}
    names = Names({*rules, *unreadable})
    for draft in drafts:
        for fault in faults(draft.rule):
            draft.wrong(fault)
        for fault in relations.faults(draft.rule, rules, names):
            draft.wrong(fault)
    _refuse_repeated(drafts)
    _refuse_orphaned(drafts, rules, known)


def _refuse_repeated(drafts: Sequence[Draft]) -> None:
    first: dict[str, Draft] = {}
    for draft in drafts:
        earlier = first.setdefault(draft.rule.name, draft)
        if earlier is not draft:
            draft.wrong(Fault("", f"is a second rule of this name; the first is at {earlier.rule.origin}"))


def _refuse_orphaned(drafts: Sequence[Draft], rules: Mapping[str, Rule], known: Mapping[str, Rule]) -> None:
    """A built-in rule must still be able to raise the one that a file puts in the place of another."""
    replaced = {draft.rule.name: draft for draft in drafts if draft.rule.name in known}
    for one in known.values():
        if one.raises in replaced and one.name not in replaced:
            for fault in relations.faults(one, rules, Names(rules)):
                what = f"is raised by the rule {one.name!r}, which cannot be: {fault.message}"
                replaced[one.raises].wrong(Fault("", f"{what}; replace that rule too"))

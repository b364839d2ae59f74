"""What is wrong between rules: names that are taken or that nobody has, `raises` that cannot be one alert."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping

from clustersight.rules.rule import Fault, Rule, labels_of
from clustersight.settings.notify import Severity

# Comparing a typo with 10 000 names takes 0.1 s; there may be 10 000 typos.
_HINTS = 30
_HINTED_NAMES = 20_000


class Names:
    """All names that a rule may name; says which is near to an unknown one."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._left = _HINTS

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def unknown(self, name: str) -> str:
        """Of all rules only near ones are named: there are too many."""
        near: list[str] = []
        if self._left > 0 and len(self._names) <= _HINTED_NAMES:
            self._left -= 1
            near = difflib.get_close_matches(name, sorted(self._names), n=2)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "name one that there is"
        return f"there is no rule {name!r}; {hint}"


def faults(rule: Rule, rules: Mapping[str, Rule], names: Names) -> Iterator[Fault]:
    """What is wrong with the rules that a rule names; `names` has also those that cannot be read."""
    for index, name in enumerate(rule.inhibited_by):
        if name not in names:
            yield Fault(f"inhibited_by.{index}", names.unknown(name))
        elif name in (rule.name, rule.identity):
            yield Fault(f"inhibited_by.{index}", "is the rule itself, which would silence itself; remove it")
        elif rule.name in _silencers(name, rules) | _silencers(_identity(name, rules), rules):
            what = f"is silenced by {rule.name!r} itself: neither would be sent; remove one of the two"
            yield Fault(f"inhibited_by.{index}", what)
    if rule.raises is None:
        return
    if rule.raises == rule.name:
        yield Fault("raises", "is the rule itself; name the milder rule")
    elif rule.raises not in names:
        yield Fault("raises", names.unknown(rule.raises))
    elif rule.raises in rules:
        yield from _raise_faults(rule, rules[rule.raises])


def _identity(name: str, rules: Mapping[str, Rule]) -> str:
    return rules[name].identity if name in rules else name


def _silencers(name: str, rules: Mapping[str, Rule]) -> set[str]:
    """The rules that silence a rule, and those that silence them."""
    found: set[str] = set()
    left = [name]
    while left:
        one = rules.get(left.pop())
        new = set(one.inhibited_by) - found if one is not None else set()
        found |= new
        left += new
    return found


def _raise_faults(rule: Rule, milder: Rule) -> Iterator[Fault]:
    if milder.raises is not None:
        yield Fault("raises", f"{milder.name!r} raises {milder.raises!r} itself; name that one")
    elif (rule.severity, milder.severity) != (Severity.CRITICAL, Severity.WARNING):
        what = f"is {rule.severity} and {milder.name!r} {milder.severity}"
        yield Fault("raises", f"a critical rule raises a warning; this {what}")
    own, others = labels_of(rule), labels_of(milder)
    if own is not None and others is not None and set(own) != set(others):
        what = f"{milder.name!r} has the labels {_listed(others)}, this rule's metric {_listed(own)}"
        yield Fault("raises", f"{what}; both must be of the same things to be one alert")


def _listed(labels: Collection[str]) -> str:
    return ", ".join(labels)

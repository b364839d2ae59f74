"""Which rules have a test in which they fire, and one in which they do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clustersight.rules.rule import Rule
from clustersight.rules.testing.running import Outcome


@dataclass(frozen=True, slots=True)
class Coverage:
    """Names of rules, in their order."""

    rules: tuple[str, ...]
    never_firing: tuple[str, ...]
    never_silent: tuple[str, ...]

    @property
    def percent(self) -> float:
        """How many of the rules fire in some test."""
        every = len(self.rules)
        return 100.0 * (every - len(self.never_firing)) / every if every else 100.0


def coverage(rules: Iterable[Rule], outcomes: Sequence[Outcome]) -> Coverage:
    """Of the rules that are enabled."""
    names = tuple(dict.fromkeys(rule.name for rule in rules if rule.enabled))
    firing = {name for outcome in outcomes for name in outcome.firing}
    silent = {name for outcome in outcomes for name in outcome.silent}
    return Coverage(
        names,
        tuple(name for name in names if name not in firing),
        tuple(name for name in names if name not in silent),
    )


def text(found: Coverage) -> Iterator[str]:
    """For people."""
    every = len(found.rules)
    firing, silent = every - len(found.never_firing), every - len(found.never_silent)
    yield f"coverage: {firing} of {every} rules fire in a test, {silent} are silent in one"
    if found.never_firing:
        yield f"  fire in none: {', '.join(found.never_firing)}"
    if found.never_silent:
        yield f"  are silent in none: {', '.join(found.never_silent)}"

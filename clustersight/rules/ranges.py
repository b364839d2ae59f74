"""Whether a comparison can hold at all, given the least and the largest value (pure)."""

from __future__ import annotations

from clustersight.rules.rule import Operator, Rule

RISING = frozenset({Operator.ABOVE, Operator.AT_LEAST})
FALLING = frozenset({Operator.BELOW, Operator.AT_MOST})
EQUALITY = frozenset({Operator.EQUAL, Operator.DIFFERENT})


def never(rule: Rule, least: float, largest: float) -> bool:
    """Whether no value between the two fires the rule."""
    threshold = rule.threshold
    match rule.operator:
        case Operator.ABOVE:
            return threshold >= largest
        case Operator.AT_LEAST:
            return threshold > largest
        case Operator.BELOW:
            return threshold <= least
        case Operator.AT_MOST:
            return threshold < least
        case Operator.EQUAL:
            return not least <= threshold <= largest
        case Operator.DIFFERENT:
            return least == largest == threshold


def always(rule: Rule, least: float, largest: float) -> bool:
    """Whether every value between the two fires the rule."""
    threshold = rule.threshold
    match rule.operator:
        case Operator.ABOVE:
            return threshold < least
        case Operator.AT_LEAST:
            return threshold <= least
        case Operator.BELOW:
            return threshold > largest
        case Operator.AT_MOST:
            return threshold >= largest
        case Operator.DIFFERENT:
            return not least <= threshold <= largest
        case Operator.EQUAL:
            return least == largest == threshold

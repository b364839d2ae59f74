"""Which alert says why another one fires, so that only one of them is sent (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# spec/rules.md: "while that rule fires for the same cluster, host or table".
SCOPE = ("cluster", "host", "database", "table")
# What followed from an alert is read again within an interval or two after it; but facts/clickhouse-facts.md
# 8, incident 1: what follows from a lost Keeper takes minutes to recover after it.
LINGER_SECONDS = 60.0
KEEPER_LINGER_SECONDS = 300.0
MOST_LINGER_SECONDS = max(LINGER_SECONDS, KEEPER_LINGER_SECONDS)

Place = tuple[tuple[str, str], ...]


def place_of(cluster_id: str, host: str, labels: Mapping[str, str]) -> Place:
    """Where an alert is, in SCOPE's order; what it has no label for is left out."""
    everything = {**labels, "cluster": cluster_id, "host": host}
    return tuple((name, everything[name]) for name in SCOPE if everything.get(name))


class Sources:
    """All that fires, by rule: a question costs one lookup, since 5000 tables may ask of 5000."""

    def __init__(self, firing: Iterable[tuple[str, Place]]) -> None:
        self._places: dict[str, dict[tuple[str, ...], set[Place]]] = {}
        self._projected: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[Place]] = {}
        for rule, place in firing:
            names = tuple(name for name, _ in place)
            self._places.setdefault(rule, {}).setdefault(names, set()).add(place)

    def inhibitor(self, inhibited_by: Iterable[str], target: Place) -> str | None:
        """The first of these rules that fires where the target is: equal in every label that both have."""
        return next((rule for rule in inhibited_by if self._covers(rule, target)), None)

    def _covers(self, rule: str, target: Place) -> bool:
        own = dict(target)
        for names in self._places.get(rule, ()):
            common = tuple(name for name in names if name in own)
            if tuple((name, own[name]) for name in common) in self._projection(rule, names, common):
                return True
        return False

    def _projection(self, rule: str, names: tuple[str, ...], common: tuple[str, ...]) -> set[Place]:
        places = self._places[rule][names]
        if names == common:
            return places
        key = (rule, names, common)
        if key not in self._projected:
            self._projected[key] = {tuple(pair for pair in place if pair[0] in common) for place in places}
        return self._projected[key]

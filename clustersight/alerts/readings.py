"""What is known of a rule key in a cluster at one moment: values where its panel was read, and where not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from clustersight.rules.rule import Match

Labels = tuple[tuple[str, str], ...]
# spec/rules.md: no data is no good run within two of the panel's intervals.
BLIND_INTERVALS = 2


class Value(NamedTuple):
    """One value in the unit of the rule key. `labels` come beside cluster and host, sorted by name."""

    host: str
    labels: Labels
    value: float

    def label(self, name: str) -> str | None:
        """A label's value; None without one."""
        if name == "host":
            return self.host
        return next((value for key, value in self.labels if key == name), None)


@dataclass(slots=True)
class KeyReadings:
    """A key of one cluster: `values`, the `hosts` whose panel was read well in time, and the `blind` ones.

    A host that is neither is gone, or has no such panel: what was known of it is over. A cluster's own
    values have the host "".
    """

    values: Sequence[Value] = ()
    hosts: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    _by_label: dict[str, dict[str | None, list[Value]]] = field(default_factory=dict)

    def select(self, match: Match) -> Iterable[Value]:
        """The values that a rule's match takes; `cluster` is not looked at here."""
        wanted = {name: value for name, value in match.items() if name != "cluster"}
        if not wanted:
            return self.values
        # 10 000 rules that each match one of 10 000 series would be 10^8 comparisons without an index.
        first = next(iter(wanted))
        found = self._lookup(first, wanted.pop(first))
        return [value for value in found if takes(wanted, value)] if wanted else found

    def _lookup(self, name: str, wanted: str | tuple[str, ...]) -> list[Value]:
        index = self._by_label.get(name)
        if index is None:
            index = self._by_label[name] = {}
            for value in self.values:
                index.setdefault(value.label(name), []).append(value)
        if isinstance(wanted, str):
            return index.get(wanted, [])
        return [value for one in dict.fromkeys(wanted) for value in index.get(one, [])]


def takes(match: Match, value: Value) -> bool:
    """Whether all conditions hold of a value; cluster is the caller's."""
    return all(_equals(wanted, value.label(name)) for name, wanted in match.items() if name != "cluster")


def takes_cluster(match: Match, cluster: str) -> bool:
    """Whether a rule looks at a cluster of this name."""
    wanted = match.get("cluster")
    return wanted is None or _equals(wanted, cluster)


def takes_host(match: Match, host: str) -> bool:
    """Whether a rule looks at a node."""
    wanted = match.get("host")
    return wanted is None or _equals(wanted, host)


def _equals(wanted: str | tuple[str, ...], found: str | None) -> bool:
    return found == wanted if isinstance(wanted, str) else found in wanted

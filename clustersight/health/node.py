"""What is known of the nodes at this moment, ready to be asked by family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from clustersight.health import families
from clustersight.metrics import Sample

# Of panels whose run says nothing about the node: they count also while the node does not answer.
_OF_THE_CLUSTER = frozenset({families.KEEPER_NODE_UP, families.KEEPER_NODES})


@dataclass(frozen=True)
class NodeState:
    """One node as of its last visit.

    `samples`: those of all panels that are fresh, and the runner's `clustersight_panel_up` and
    `clustersight_panel_status` of every panel whose last run is fresh, however it ended. A panel of
    which there is neither is missing, so nothing of a stale one may be in it. Of a node that is not
    reachable only what survives it counts (keeper-nodes).
    `first_seen`: epoch seconds by (database, table); tables that are not in it are old.
    """

    host: str
    shard: str
    reachable: bool
    samples: Sequence[Sample] = ()
    first_seen: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @cached_property
    def by_family(self) -> dict[str, list[Sample]]:
        found: dict[str, list[Sample]] = {}
        for sample in self.samples:
            name = sample.metric.name
            if self.reachable or name in _OF_THE_CLUSTER:
                found.setdefault(name, []).append(sample)
        return found

    @cached_property
    def statuses(self) -> dict[str, str]:
        """How the last run of each panel ended."""
        ups = {s.labels[0]: "ok" if s.value else "error" for s in self.by_family.get(families.PANEL_UP, ())}
        told = {s.labels[0]: s.labels[1] for s in self.by_family.get(families.PANEL_STATUS, ()) if s.value}
        return {**ups, **told}

    @property
    def refuses(self) -> str:
        """A panel whose query the server refused for overload; empty without one."""
        return next((panel for panel, status in self.statuses.items() if status == "refused"), "")

    def value(self, family: str) -> float | None:
        """Of a family without labels."""
        found = self.by_family.get(family)
        return found[0].value if found else None

    def found(self, family: str) -> Iterator[Found]:
        """Every series of the family, in the unit of its rule key."""
        for sample in self.by_family.get(family, ()):
            yield found_in(self.host, sample)

    def raised(self, family: str) -> Iterator[Found]:
        """Those that are not 0. There may be a hundred thousand tables, and nearly all are at rest."""
        for sample in self.by_family.get(family, ()):
            if sample.value:
                yield found_in(self.host, sample)

    def highest(self, family: str) -> Found | None:
        """The series with the highest value."""
        top = max(self.by_family.get(family, ()), key=_value, default=None)
        return None if top is None else found_in(self.host, top)


def _value(sample: Sample) -> float:
    return sample.value


@dataclass(frozen=True, slots=True)
class Found:
    """One measured value in the unit of its rule key, and where: labels with `host`."""

    key: str | None
    labels: Mapping[str, str]
    value: float


def found_in(host: str, sample: Sample) -> Found:
    metric = sample.metric
    own = dict(zip(metric.labels, sample.labels, strict=True))
    labels = own if metric.cluster_only else {"host": host, **own}
    return Found(metric.key_of(sample.labels), labels, sample.value * metric.per_base_unit)

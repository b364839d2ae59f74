"""What holds of every cluster, however ill: bounds, and that a fault never makes it look better."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from clustersight.health import Component, Window, grade
from clustersight.health import families as f
from clustersight.health.errors import CAPACITY, CONNECTION, CORRUPTION
from clustersight.health.thresholds import LINES
from clustersight.health.windows import BROKEN_PARTS, DELAYED, FAULTS, REFUSED, REJECTED, RESTARTS
from clustersight.panels import ALL
from tests.health.cluster import Cluster, Labels, healthy

Fault = Callable[[Cluster], None]

SHOP = [("database", "shop"), ("table", "orders")]
ONLY_THIS_TABLE: Labels = tuple(SHOP)
# Families, their labels, and what is bad enough: a fault sets anything up to it.
WORSE: list[tuple[str, Labels, float]] = [
    *((family, ONLY_THIS_TABLE, 4000.0) for family in (f.LAG, f.QUEUE_SIZE, f.STUCK_TASKS)),
    *((family, ONLY_THIS_TABLE, 1.0) for family in (f.LAG_UNKNOWN, f.READONLY_UNEXPECTED, f.SESSION_EXPIRED)),
    *((family, ONLY_THIS_TABLE, 9.0) for family in (f.MUTATIONS_FAILING, f.MUTATIONS_STUCK)),
    (f.REPLICAS_READONLY, (), 500.0),
    (f.MAX_LAG, (), 4000.0),
    (f.PARTS_PRESSURE, ONLY_THIS_TABLE, 1.2),
    (f.DISK_USAGE, (("disk", "default"),), 1.0),
    (f.DISK_BROKEN, (("disk", "default"),), 1.0),
    (f.DISTRIBUTION_BLOCKED, ONLY_THIS_TABLE, 1.0),
    (f.DDL_OLDEST, (), 4000.0),
    (f.DICTIONARY_FAILING, (("database", "shop"), ("dictionary", "prices")), 1.0),
    (f.LOAD_FAILED, (), 3.0),
    (f.KAFKA_FAILING, ONLY_THIS_TABLE, 1.0),
    (f.MEMORY_USAGE, (), 1.1),
    (f.CLOCK_SKEW, (), 900.0),
    (f.DURATION, (("quantile", "0.95"),), 30.0),
    (f.RUNNING_RATIO, (), 1.0),
]  # fmt: skip
RISEN: list[tuple[Window, Labels, float]] = [
    (BROKEN_PARTS, (*SHOP, ("reason_class", "broken")), 30.0),
    *((window, (), 40.0) for window in (REFUSED, DELAYED, REJECTED)),
    (RESTARTS, (), 6.0),
    (FAULTS, (), 100.0),
]


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Something that gets worse on one of the nodes, or stays as bad as it is."""
    host = f"ch{draw(st.integers(1, 4))}"
    share = draw(st.floats(0, 1))
    kind: Callable[[st.DrawFn, str, float], Fault] = draw(st.sampled_from((_value, _change, _error, _lost)))
    return kind(draw, host, share)


def _value(draw: st.DrawFn, host: str, share: float) -> Fault:
    family, labels, most = draw(st.sampled_from(WORSE))
    amount = share * most if most > 1 or family in (f.DISK_USAGE, f.RUNNING_RATIO) else 1.0

    def worsen(cluster: Cluster) -> None:
        key = (host, family, labels)
        cluster.values[key] = max(cluster.values.get(key, 0.0), amount)

    return worsen


def _change(draw: st.DrawFn, host: str, share: float) -> Fault:
    window, labels, most = draw(st.sampled_from(RISEN))

    def worsen(cluster: Cluster) -> None:
        key = (window, host, labels)
        cluster.changes[key] = max(cluster.changes.get(key, 0.0), share * most)

    return worsen


def _error(draw: st.DrawFn, host: str, share: float) -> Fault:
    code = draw(st.sampled_from(sorted(CORRUPTION | CAPACITY | CONNECTION)))
    return lambda cluster: cluster.error(code, max(_errors(cluster, host, code), share * 2000), host)


def _errors(cluster: Cluster, host: str, code: str) -> float:
    return max(
        (
            v
            for (_, where, labels), v in cluster.changes.items()
            if where == host and ("error", code) in labels
        ),
        default=0.0,
    )


def _lost(draw: st.DrawFn, host: str, share: float) -> Fault:
    """Keeper, one of its nodes, or the last run of a panel whose samples are fresh still."""
    panel = draw(st.sampled_from([panel.name for panel in ALL if panel.name != "keeper-nodes"]))
    node = draw(st.sampled_from(("k1", "k2", "k3")))
    ways: list[Fault] = [
        lambda cluster: cluster.set(f.KEEPER_ONLINE, 0.0, host),
        lambda cluster: cluster.set(f.KEEPER_NODE_UP, 0.0, "ch1", node=node),
        lambda cluster: cluster.panel(panel, "timeout", host),
    ]
    return draw(st.sampled_from(ways))


@st.composite
def blindness(draw: st.DrawFn) -> Fault:
    """Something that is not known any more."""
    host = f"ch{draw(st.integers(1, 4))}"
    panels = draw(st.lists(st.sampled_from([panel.name for panel in ALL]), max_size=8))
    status = draw(st.sampled_from(("timeout", "unsupported", "disabled", "refused", "absent")))
    window = draw(st.sampled_from([window for window, *_ in RISEN]))
    ways: list[Fault] = [
        lambda cluster: cluster.fail(*panels, host=host, status=status),
        lambda cluster: cluster.down(host),
        lambda cluster: cluster.forget(window, host),
    ]
    return draw(st.sampled_from(ways))


def check_component(one: Component) -> None:
    lost = math.fsum(deduction.points for deduction in one.deductions)
    assert one.score is None or one.score == max(0.0, 100.0 - lost)
    assert all(0 < deduction.points <= 100 for deduction in one.deductions)
    assert all(deduction.reason and deduction.metric_key for deduction in one.deductions)
    assert one.score is not None or one.note


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(faults(), blindness()), max_size=12))
def test_scores_are_bounded_and_explained(found: list[Fault]) -> None:
    cluster = healthy(shards=2, replicas=2)
    for fault in found:
        fault(cluster)
    result = cluster.health()

    for one in result.components.values():
        check_component(one)
    assert result.score is None or 0 <= result.score <= 100
    assert result.grade == (None if result.score is None else grade(result.score))
    held = [one.at_most for one in result.components.values()]
    assert result.score is None or result.score <= round(min(held) + 35, 1)


@settings(max_examples=300, deadline=None)
@given(st.lists(faults(), max_size=8), faults())
def test_a_fault_never_raises_a_score(before: list[Fault], another: Fault) -> None:
    cluster = healthy(shards=2, replicas=2)
    for fault in before:
        fault(cluster)
    first = cluster.health()
    another(cluster)
    second = cluster.health()

    assert first.score is not None
    assert second.score is not None
    assert second.score <= first.score
    for name, one in first.components.items():
        worse = second.components[name].score
        assert one.score is not None
        assert worse is not None
        assert worse <= one.score + 1e-9


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=4))
def test_a_node_of_a_healthy_cluster_that_goes_down_never_raises_the_score(down: list[int]) -> None:
    cluster = healthy(shards=2, replicas=2)
    scores = [cluster.health().score]
    for number in down:
        cluster.down(f"ch{number}")
        scores.append(cluster.health().score)

    known = [score for score in scores if score is not None]
    assert known == sorted(known, reverse=True)
    assert (scores[-1] is None) == (set(down) == {1, 2, 3, 4})


@given(st.sampled_from(sorted(LINES)), st.floats(0, 1e4), st.floats(0, 1e4))
def test_lines_never_fall(name: str, one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert 0 <= LINES[name].at(low) <= LINES[name].at(high) <= 100

"""The score knows families and keys by name only: every name is in the catalogue, with these labels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustersight.health import WANTED, Reading, Window, families
from clustersight.health.picture import Input
from clustersight.health.score import PARTS
from clustersight.metrics import Kind
from clustersight.panels import ALL
from clustersight.panels.panel import Scope
from tests.health.cluster import METRICS, healthy
from tests.health.test_situations import SITUATIONS

NAMES = sorted(value for name, value in vars(families).items() if name.isupper() and isinstance(value, str))
# The labels by which the score reads its families.
LABELS = {
    families.PANEL_UP: ("panel",),
    families.PANEL_STATUS: ("panel", "status"),
    **dict.fromkeys(
        (
            families.LAG, families.LAG_UNKNOWN, families.READONLY, families.READONLY_UNEXPECTED,
            families.SESSION_EXPIRED, families.QUEUE_SIZE, families.STUCK_TASKS, families.PARTS_PRESSURE,
            families.MUTATIONS_FAILING, families.MUTATIONS_STUCK, families.DISTRIBUTION_FILES,
            families.DISTRIBUTION_ERRORS, families.DISTRIBUTION_BROKEN, families.DISTRIBUTION_BLOCKED,
            families.KAFKA_FAILING,
        ),
        ("database", "table"),
    ),
    families.DISK_USAGE: ("disk",),
    families.DISK_BROKEN: ("disk",),
    families.DETACHED: ("database", "table", "reason_class"),
    families.ALL_DETACHED: ("reason_class",),
    families.ERRORS: ("error",),
    families.KEEPER_NODE_UP: ("node",),
    families.DURATION: ("quantile",),
    families.DICTIONARY_FAILING: ("database", "dictionary"),
    families.VIEW_FAILING: ("database", "view"),
}  # fmt: skip
KEYS = {rate.key for panel in ALL for rate in panel.rates}


@pytest.mark.parametrize("name", NAMES)
def test_a_family_has_the_labels_that_the_score_reads(name: str) -> None:
    assert METRICS[name].labels == LABELS.get(name, ())


def test_panels_are_there_or_may_be_absent() -> None:
    names = {panel.name for panel in ALL}
    used = {one.panel for part in PARTS for one in part.inputs} - {""}

    assert used <= names
    assert {panel.name for panel in ALL if panel.scope is Scope.CLUSTER} == families.OPTIONAL_PANELS


@pytest.mark.parametrize("one", [one for part in PARTS for one in part.inputs], ids=lambda one: one.name)
def test_an_input_is_known_by_families_of_its_own_panel(one: Input) -> None:
    own = [metric.name for panel in ALL if panel.name == one.panel for metric in panel.metrics]
    assert set(one.families) <= {*own, families.PANEL_UP}


@pytest.mark.parametrize("window", WANTED, ids=lambda window: f"{window.family}-{window.reading}")
def test_a_window_is_of_a_family_that_is_remembered(window: Window) -> None:
    metric = METRICS[window.family]

    assert metric.history
    assert (window.reading is Reading.INCREASE) == (metric.kind is Kind.COUNTER)
    assert {name for name, _ in window.labels} <= set(metric.labels)
    assert not window.witness or METRICS[window.witness].history


def test_every_key_of_an_explanation_is_a_rule_key() -> None:
    known = KEYS | {key for metric in METRICS.values() for key in _keys(metric.name)}
    found = [
        deduction.metric_key
        for situation, *_ in SITUATIONS
        for component in situation().health().components.values()
        for deduction in component.deductions
    ]

    assert found
    assert set(found) <= known


def _keys(name: str) -> Iterator[str]:
    metric = METRICS[name]
    yield from (key for _, key in metric.keys)
    if metric.key:
        yield metric.key


def test_the_healthy_cluster_of_these_tests_has_every_panel() -> None:
    assert {panel for _, panel in healthy().statuses} == {panel.name for panel in ALL}

"""Grades, trend, what is published, and the weighted score."""

from __future__ import annotations

import math

import pytest

from clustersight.health import grade, overall, published, trend
from clustersight.settings.health import WeightSettings

PUBLISHED = {"replication": 100, "storage": 82, "errors": 95, "infrastructure": 80, "queries": 70}


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (100, "A+"), (95, "A+"), (94.9, "A"), (90, "A"), (89.9, "B+"), (87.4, "B+"), (85, "B+"), (84.9, "B"),
        (80, "B"), (79.9, "B-"), (75, "B-"), (74.9, "C+"), (70, "C+"), (69.9, "C"), (60, "C"), (59.9, "C-"),
        (50, "C-"), (49.9, "D"), (40, "D"), (39.9, "F"), (0, "F"),
    ],
)  # fmt: skip
def test_grade(score: float, name: str) -> None:
    assert grade(score) == name


@pytest.mark.parametrize("score", [-0.1, 100.1, math.nan, math.inf])
def test_what_is_no_score_has_no_grade(score: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        grade(score)


@pytest.mark.parametrize(
    ("score", "previous", "expected"),
    [
        (87.4, 85.0, "stable"), (88.0, 85.0, "stable"), (88.1, 85.0, "improving"), (85.0, 88.0, "stable"),
        (85.0, 88.1, "declining"), (90.1, 87.1, "stable"), (35.1, 38.1, "stable"), (None, 50.0, "stable"),
        (50.0, None, "stable"), (None, None, "stable"),
    ],
)  # fmt: skip
def test_trend(score: float | None, previous: float | None, expected: str) -> None:
    assert trend(score, previous) == expected


@pytest.mark.parametrize(
    ("latest", "before", "expected"),
    [(90.0, 80.0, 80.0), (70.0, 80.0, 70.0), (90.0, None, 90.0), (None, 80.0, None), (0.0, 80.0, 0.0)],
)
def test_the_lower_of_the_last_two_is_published(
    latest: float | None, before: float | None, expected: float | None
) -> None:
    assert published(latest, before) == expected


def test_the_published_example() -> None:
    assert overall(PUBLISHED) == 87.4


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_component_on_the_ground_is_an_f(name: str) -> None:
    everything = dict.fromkeys(PUBLISHED, 100.0)

    assert overall(everything) == 100
    assert overall({**everything, name: 0.0}) == 35
    assert overall({**everything, name: 20.5}) == 55.5


def test_the_weight_of_what_is_unknown_is_spread() -> None:
    assert overall({**PUBLISHED, "replication": None}) == round((16.4 + 19 + 8 + 14) / 0.7, 1)
    assert overall({"storage": 82, "errors": 95}) == 88.5
    assert overall(dict.fromkeys(PUBLISHED)) is None
    assert overall({}) is None


def test_weights_are_shares_of_their_sum_and_none_is_no_component() -> None:
    only_two = WeightSettings(replication=0, storage=1, errors=1, infrastructure=0, queries=0)

    assert overall({**PUBLISHED, "replication": 0}, only_two) == 88.5
    assert overall({"replication": 50}, only_two) is None


def test_a_name_that_is_no_component_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"disks is no component .* replication, storage"):
        overall({"disks": 50})


@pytest.mark.parametrize("score", [-1, 101, math.nan])
def test_a_number_that_is_no_score_is_an_error(score: float) -> None:
    with pytest.raises(ValueError, match=r"storage is .*from 0 to 100"):
        overall({"storage": score})

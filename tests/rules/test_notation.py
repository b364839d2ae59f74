"""Series and values as promtool writes them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.rules.testing.notation import MAX_POINTS, Gap, NotationError, points, selector

MISSING, STALE = Gap.MISSING, Gap.STALE


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5", [5]),
        ("-2+4x3", [-2, 2, 6, 10]),
        ("1-2x4", [1, -1, -3, -5, -7]),
        ("1x4", [1, 1, 1, 1, 1]),
        ("0+1x2 _ stale 5x1", [0, 1, 2, MISSING, STALE, 5, 5]),
        ("1 _x3 stale", [1, MISSING, MISSING, MISSING, STALE]),
        ("0.5+.25x1 1e3", [0.5, 0.75, 1000]),
        ("  7\n 8 ", [7, 8]),
        ("Inf -Inf", [math.inf, -math.inf]),
        ("", []),
    ],
)
def test_values(text: str, meant: list[object]) -> None:
    assert list(points(text)) == meant


def test_a_value_that_is_no_number() -> None:
    [value] = points("NaN")
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(("text", "at"), [("1 two 3", 2), ("1x", 0), ("1+x3", 0), ("5 1++2x3", 2), ("_x", 0)])
def test_what_is_no_value_is_said_with_its_place(text: str, at: int) -> None:
    with pytest.raises(NotationError, match="is none of") as caught:
        points(text)
    assert caught.value.position == at


def test_a_typo_does_not_fill_the_memory() -> None:
    with pytest.raises(NotationError, match=str(MAX_POINTS)):
        points("1x999999999999")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_every_number_reads_back(numbers: list[float]) -> None:
    assert list(points(" ".join(map(repr, numbers)))) == numbers


@pytest.mark.parametrize(
    ("text", "name", "labels"),
    [
        ("server.up", "server.up", {}),
        ("server.up{}", "server.up", {}),
        ("a{x=\"1\", y = '2'}", "a", {"x": "1", "y": "2"}),
        (r'a{x="q\"}\n"}', "a", {"x": 'q"}\n'}),
        ('rule:Too many{x="1",}', "rule:Too many", {"x": "1"}),
    ],
)
def test_selectors(text: str, name: str, labels: dict[str, str]) -> None:
    assert selector(text) == (name, labels)


@pytest.mark.parametrize(
    "text", ["", "{x='1'}", "a{x=1}", 'a{x="1"', 'a{x="1"} b', 'a{x="1" y="2"}', 'a{x="1",x="2"}']
)
def test_what_is_no_series(text: str) -> None:
    with pytest.raises(NotationError) as caught:
        selector(text)
    assert 0 <= caught.value.position <= len(text)


def test_promtool_reads_the_same_values(tmp_path, promtool) -> None:
    """Each value as an alert's, by what promtool says of it."""
    text = "-2+4x3 1x2 1-2x4 _x2 7"
    rule = "groups: [{name: g, rules: [{alert: A, expr: m > -100, annotations: {v: '{{ $value }}'}}]}]"
    got = []
    for index, value in enumerate(points(text)):
        test = f"""
rule_files: [r.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series: [{{series: m, values: '{text}'}}]
    alert_rule_test:
      - {{eval_time: {index}m, alertname: A, exp_alerts: []}}
"""
        told = promtool("test", "rules", "t.yml", r=rule, t=test)
        found = re.search(r'v="([^"]*)"', told.stdout + told.stderr)
        if value is not MISSING:  # Prometheus looks back over five minutes
            got.append((index, float(found.group(1)) if found else None))
    assert got == [(i, v) for i, v in enumerate(points(text)) if v is not MISSING]

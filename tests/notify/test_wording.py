"""Values, times and sentences."""

from __future__ import annotations

import math

import pytest

from clustersight.metrics import Unit
from clustersight.notify import wording
from clustersight.notify.notice import NoticeKind
from clustersight.settings.notify import Severity
from tests.notify.messages import FIRED_AT, NOW, notice, resolved


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (87.3, "%", "87.3 %"),
        (85.0, "%", "85 %"),
        (0.0, "%", "0 %"),
        (12.5, "seconds", "12.5 s"),
        (7500, "seconds", "2 h 5 min"),
        (93_600, "seconds", "1 d 2 h"),
        (60, "seconds", "1 min"),
        (-7500, "seconds", "-2 h 5 min"),
        (250, "ms", "250 ms"),
        (12_500, "ms", "12.5 s"),
        (0, "bytes", "0 B"),
        (1536, "bytes", "1.5 KiB"),
        (1024**3, "bytes", "1 GiB"),
        (-(1024**3), "bytes", "-1 GiB"),
        (1e30, "bytes", "867,361,737,988.4 EiB"),
        (1, "0 or 1", "yes (1)"),
        (0, "0 or 1", "no (0)"),
        (0.5, "0 or 1", "0.5"),
        (1_234_567, "count", "1,234,567"),
        (12_345.678, "count", "12,345.7"),
        (0.000_123_45, "", "0.0001234"),
        (3.25, "per minute", "3.25 per minute"),
        (math.nan, "%", "nan"),
        (math.inf, "seconds", "inf"),
    ],
)
def test_an_amount_is_readable(value: float, unit: str, said: str) -> None:
    assert wording.amount(value, unit) == said


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e-300, 1e300, 2.0**63, math.nan, -math.inf])
def test_every_unit_of_the_panels_can_be_said(unit: Unit, value: float) -> None:
    assert wording.amount(value, unit)


def test_a_value_just_above_its_threshold_does_not_look_the_same() -> None:
    assert wording.measured(notice(value=85.001, threshold=85.0)) == "85.001 % > 85 %"
    assert wording.measured(notice(value=7200.5, threshold=7200.0, unit="seconds")) == "7,200.5 s > 7,200 s"
    assert wording.measured(notice(value=85.0, threshold=85.0, operator=">=")) == "85 % >= 85 %"


def test_a_value_is_held_against_its_threshold() -> None:
    assert wording.measured(notice()) == "87.3 % > 85 %"
    assert wording.measured(resolved()) == "84 % (fires at > 85 %)"
    assert wording.measured(notice(unit="0 or 1", value=1.0, threshold=0.0)) == "yes (1)"
    assert wording.measured(notice(threshold=None)) == "87.3 %"
    assert wording.measured(notice(value=None)) == ""


@pytest.mark.parametrize(
    ("kind", "title", "news"),
    [
        (NoticeKind.FIRING, "[CRITICAL] MutationFailing", "Firing since 2026-03-22 14:00:00 UTC (2 h 5 min)"),
        (
            NoticeKind.REPEAT,
            "[CRITICAL] MutationFailing (still firing)",
            "Still firing since 2026-03-22 14:00:00 UTC (2 h 5 min)",
        ),
        (
            NoticeKind.RISE,
            "[CRITICAL] MutationFailing (severity rose)",
            "Severity rose to critical; firing since 2026-03-22 14:00:00 UTC (2 h 5 min)",
        ),
        (
            NoticeKind.ESCALATED,
            "[CRITICAL] MutationFailing (escalated)",
            "Escalated by hand; firing since 2026-03-22 14:00:00 UTC (2 h 5 min)",
        ),
    ],
)
def test_each_kind_says_why_it_is_sent(kind: NoticeKind, title: str, news: str) -> None:
    assert wording.title(notice(kind=kind)) == title
    assert wording.news(notice(kind=kind), NOW) == news


def test_a_test_says_that_it_is_one() -> None:
    test = notice(kind=NoticeKind.TEST)
    assert wording.title(test) == "[TEST] ClusterSight"
    assert "test message from ClusterSight" in wording.news(test, NOW)


def test_an_end_has_its_duration_and_reason() -> None:
    assert wording.title(resolved()) == "[RESOLVED] MutationFailing"
    assert wording.news(resolved(), NOW) == (
        "Resolved at 2026-03-22 16:05:00 UTC (2 h 5 min); fired at 2026-03-22 14:00:00 UTC"
    )
    removed = wording.news(resolved(resolve_reason="rule_removed"), NOW)
    assert ": the rule was removed or disabled;" in removed
    assert ": something new;" in wording.news(resolved(resolve_reason="something new"), NOW)


@pytest.mark.parametrize("kind", [NoticeKind.RESOLVED, NoticeKind.FIRING])
def test_an_untold_alert_is_told_whole(kind: NoticeKind) -> None:
    both = resolved(kind=kind, untold=True)
    assert wording.title(both) == "[RESOLVED] MutationFailing (fired and resolved)"
    news = wording.news(both, NOW)
    assert "Fired at 2026-03-22 14:00:00 UTC and resolved at 2026-03-22 16:05:00 UTC (2 h 5 min)" in news


def test_times_that_cannot_be() -> None:
    assert wording.moment(1e300) == "an unknown time"
    assert wording.moment(math.nan) == "an unknown time"
    assert "(" not in wording.news(notice(), FIRED_AT - 100)


def test_a_place_names_the_table_once() -> None:
    assert wording.place(notice()) == "prod/ch-1 shop.orders"
    assert wording.place(notice(labels={"disk": "default"}, host="")) == "prod disk=default"
    assert wording.place(notice(labels={"table": "t"}, cluster="")) == "ch-1 table=t"


def test_only_an_open_alert_is_critical() -> None:
    assert wording.is_critical(notice())
    assert not wording.is_critical(notice(severity=Severity.WARNING))
    assert not wording.is_critical(resolved())

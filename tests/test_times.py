"""Times as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.times import iso


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, None),
        (1774188000, "2026-03-22T14:00:00Z"),
        (1774188000.25, "2026-03-22T14:00:00.250Z"),
        (1774188000.9996, "2026-03-22T14:00:01Z"),
        (0.0, "1970-01-01T00:00:00Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
        (float("nan"), None),
        (float("inf"), None),
        (1e15, None),
    ],
)
def test_is_utc_with_a_z(seconds: float | None, text: str | None) -> None:
    assert iso(seconds) == text


@given(st.floats(-62_135_596_800, 253_402_300_799))
def test_any_time_of_the_calendar_can_be_read_back(seconds: float) -> None:
    text = iso(seconds)

    assert text is not None
    assert text.endswith("Z")
    assert abs(datetime.fromisoformat(text).astimezone(UTC).timestamp() - seconds) <= 0.001

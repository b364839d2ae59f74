"""JSON in a compressed column: what comes out is what went in, as far as JSON can say it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.store.errors import Corrupt
from clustersight.store.packing import pack, unpack

# Names may hold anything, also half a surrogate pair.
TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_does_not_have_becomes_null(value: float) -> None:
    assert unpack(pack({"a": [value, 1.5, (value,)], "b": value})) == {"a": [None, 1.5, [None]], "b": None}


def test_rows_become_small() -> None:
    rows = [{"database": "default", "table": f"events_{n}", "active_parts": n % 300} for n in range(2000)]

    assert len(pack(rows)) < len(json.dumps(rows)) / 5


def test_damage_is_told() -> None:
    packed = pack({"a": 1})
    for damaged in (b"", packed[:-3], b"y" + packed[1:], packed[:5] + b"\xff" + packed[6:]):
        with pytest.raises(Corrupt, match="damaged"):
            unpack(damaged)

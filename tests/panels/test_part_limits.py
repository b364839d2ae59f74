"""A table's own limits, read out of engine_full: whatever else stands in there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustersight.clickhouse.sql import ident, literal
from clustersight.panels.part_limits import NAMES, THROW, AllLimits, Limits, number, own_settings
from tests.panels.tables import database
from tests.servers.embedded import EmbeddedServer

TRAPS = (
    "parts_to_throw_insert = 5",
    "SETTINGS parts_to_throw_insert = 5",
    "') SETTINGS parts_to_delay_insert = 1",
    "`a` \\",
    "max_parts_in_total",
)
# Names of columns and texts of comments, as bad as they come; a NUL is no part of a name.
TEXTS = st.one_of(st.sampled_from(TRAPS), st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
OWN = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2**40), max_size=4)


@given(column=TEXTS, text=TEXTS, own=OWN, before=st.booleans())
def test_only_settings_are_settings(column: str, text: str, own: dict[str, int], before: bool) -> None:
    engine = f"MergeTree PARTITION BY ({ident(column)}, {literal(text)}) ORDER BY (SETTINGS, {ident(column)})"
    others = {"inactive_parts_to_throw_insert": 7, "index_granularity": 8192, "storage_policy": literal(text)}
    pairs = {**others, **own} if before else {**own, **others}
    clause = ", ".join(f"{name} = {value}" for name, value in pairs.items())
    assert own_settings(f"{engine} SETTINGS {clause}") == own
    assert own_settings(engine) == {}


@settings(deadline=None, max_examples=15)
@given(column=TEXTS, own=OWN.filter(bool))
def test_what_a_server_writes_is_read(embedded: EmbeddedServer, column: str, own: dict[str, int]) -> None:
    clause = ", ".join(f"{name} = {value}" for name, value in own.items())
    with database(embedded) as db:
        embedded.execute(
            f"CREATE TABLE {db}.t ({ident(column)} Int32, SETTINGS Int32) ENGINE = MergeTree "
            f"PARTITION BY {ident(column)} ORDER BY SETTINGS "
            f"SETTINGS inactive_parts_to_throw_insert = 7, {clause}"
        )
        found = embedded.execute(f"SELECT engine_full FROM system.tables WHERE database = {literal(db)}")
        assert own_settings(found[0][0]) == own


@pytest.mark.parametrize("text", ["60", "0", "1K", "2Ki", "3k", "1Mi", "2G", "1Ti"])
def test_numbers_mean_what_the_server_takes_them_for(embedded: EmbeddedServer, text: str) -> None:
    sql = f"SELECT getSetting('max_rows_to_read') SETTINGS max_rows_to_read = '{text}'"
    assert number(text) == embedded.execute(sql)[0][0]


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1Kx", "i", "'7'"])
def test_anything_else_is_no_number(text: str) -> None:
    assert number(text) is None


def test_both_kinds_of_quotes_around_numbers_are_read() -> None:
    assert own_settings("MergeTree ORDER BY a SETTINGS parts_to_throw_insert = '1Ki'") == {THROW: 1024}
    assert own_settings("MergeTree ORDER BY a SETTINGS parts_to_throw_insert = 60.") == {THROW: 60}


def test_a_limit_that_the_server_does_not_know_is_absent() -> None:
    limits = AllLimits(
        plain={THROW: 300}, replicated={THROW: 30}, own={("d", "t"): {THROW: 5, "max_parts_in_total": 1}}
    )
    assert limits.of(("d", "t"), replicated=True) == Limits(5, None, None, None)
    assert limits.of(("d", "u"), replicated=True) == Limits(30, None, None, None)
    assert limits.of(("d", "u"), replicated=False) == Limits(300, None, None, None)


def test_the_lowest_limit_leaves_a_delay_out_that_is_switched_off() -> None:
    assert Limits(50, 10, None, 5).lowest == 10
    assert Limits(50, 0, None, 5).lowest == 50
    assert Limits(0, 10, None, 5).lowest == 1, "0 parts are allowed"
    assert Limits(None, 0, None, 5).lowest is None

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustersight.commands.errands import run_all
from clustersight.table import table, visible


def test_columns_are_aligned_and_numbers_stand_right():
    assert table(("name", "rows", "why"), [("a", "5", ""), ("long one", "1 200", "x"), ("b", "-", "")]) == (
        "name       rows  why\n"
        "a             5\n"
        "long one  1 200  x\n"
        "b             -"
    )  # fmt: skip


def test_wide_and_combining_characters_keep_the_columns():
    lines = table(("n", "x"), [("日本", "a"), ("e\u0301", "b")]).splitlines()
    assert lines == ["n     x", "日本  a", "e\u0301     b"]


def test_without_rows_there_are_the_headers():
    assert table(("a", "b"), []) == "a  b"


def test_what_drives_a_terminal_is_shown_instead():
    assert visible("a\n\x1b[31m\x9b\u202e\udcffé") == "a\\n\\x1b[31m\\x9b\\u202e\\udcffé"


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_row_is_a_line_whatever_is_in_it(rows):
    lines = table(("a", "b"), rows).split("\n")
    assert len(lines) == len(rows) + 1
    assert all(line.isprintable() for line in lines)


def test_errands_that_hang_hold_up_nobody(tmp_path):
    import threading

    never = threading.Event()
    try:
        assert run_all([lambda: "a", never.wait, lambda: "b"], 0.3) == ["a", None, "b"]
    finally:
        never.set()

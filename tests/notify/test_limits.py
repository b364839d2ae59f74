"""Escaping and cutting."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.notify.limits import clean, code, cut, fenced, is_cut, listed, safe, width

ANY_TEXT = st.text(st.characters(), max_size=200) | st.text("&<>`\n😀a", max_size=200)
SIZES = st.integers(20, 120)


def test_escaping_is_slacks() -> None:
    assert safe("a & b <!channel> \"c\" 'd'", 100) == "a &amp; b &lt;!channel&gt; \"c\" 'd'"


def test_nothing_is_cut_inside_of_an_entity() -> None:
    assert [safe("<<<<<<", most) for most in (8, 9, 10, 12)] == [
        "&lt;…",
        "&lt;&lt;…",
        "&lt;&lt;…",
        "&lt;&lt;…",
    ]
    assert safe("<<<", 12) == "&lt;&lt;&lt;"


def test_nothing_is_cut_inside_of_an_emoji() -> None:
    assert cut("😀😀😀", 4) == "😀…"
    assert cut("😀😀😀", 5) == "😀😀…"
    assert cut("😀😀", 4) == "😀😀"


@pytest.mark.parametrize("character", ["\n", "\x00", "\x1b", "\u2028", "\u202e", "\u2066", "\x85", "\ud83d"])
def test_a_name_stays_on_its_line(character: str) -> None:
    assert clean(f"a{character}b", 10) == "a b"


def test_line_breaks_stay_where_they_may() -> None:
    assert safe("a\n\tb\r", 10, lines=True) == "a\n\tb "


def test_code_cannot_end_its_block() -> None:
    block = fenced("SELECT 1\n```\n<!channel> `a`.``", 200)
    assert block.startswith("```\nSELECT 1\n")
    assert block.count("```") == 2
    assert "&lt;!channel&gt; `a`.``" in block
    assert not is_cut(block)
    assert is_cut(fenced("x" * 300, 200))


def test_a_name_cannot_end_its_code() -> None:
    assert code("a`b", 20) == "`a\u02cbb`"
    assert code("", 20) == "` `"


def test_a_list_says_how_many_are_missing() -> None:
    assert listed(["a", "b"], 3) == "a\nb"
    lines = [f"line {i:3}" for i in range(100)]
    found = listed(lines, 150).split("\n")
    assert found[:-1] == lines[: len(found) - 1]
    assert found[-1] == f"and {101 - len(found)} more"


@given(ANY_TEXT, SIZES)
def test_safe_text_keeps_its_size_and_has_no_markup(text: str, most: int) -> None:
    found = safe(text, most)
    assert width(found) <= most
    assert not set("<>\n") & set(found)
    assert re.fullmatch(r"([^&]|&(amp|lt|gt);)*", found)
    assert "```" not in found
    found.encode("utf-8")


@given(ANY_TEXT, SIZES)
def test_code_blocks_have_two_ends(text: str, most: int) -> None:
    block = fenced(text, most)
    assert width(block) <= most
    assert block.count("```") == 2
    assert block.startswith("```\n")
    assert block.endswith("\n```")


@given(ANY_TEXT, SIZES)
def test_names_in_code_have_two_ends(text: str, most: int) -> None:
    found = code(text, most)
    assert width(found) <= most
    assert found.count("`") == 2
    assert len(found) > 2


@given(st.text("ab<&", max_size=50))
def test_what_fits_is_not_changed(text: str) -> None:
    assert html.unescape(safe(text, 1000)) == text

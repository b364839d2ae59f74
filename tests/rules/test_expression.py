from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.rules.expression import ExpressionError, format_expression, matcher, parse
from clustersight.rules.rule import Operator

LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(max_size=12)
MATCHES = st.dictionaries(LABELS, VALUES | st.lists(VALUES, min_size=2, max_size=4).map(tuple), max_size=3)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
KEYS = st.from_regex(r"[a-z_]{1,8}(\.[a-z0-9_]{1,8})?", fullmatch=True)


@given(KEYS, MATCHES, st.sampled_from(Operator), NUMBERS)
def test_what_is_written_is_read_back(name, match, operator, threshold):
    found = parse(format_expression(name, match, operator, threshold))
    assert (found.name, found.operator, found.threshold) == (name, operator, threshold)
    # A list of one value that is a list of nothing else is that value.
    assert dict(found.match) == match


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_at_a_place_in_it(text):
    refused = None
    try:
        parse(text)
    except ExpressionError as error:
        refused = error
    assert refused is None or 0 <= refused.position <= max(0, len(text) - 1)


@given(st.text(alphabet='abm.{}=~!"|\\><0123456789 ,-', max_size=40))
def test_any_text_of_its_own_characters_is_read_or_refused(text):
    try:
        found = parse(text)
    except ExpressionError:
        return
    again = format_expression(found.name, found.match, found.operator, found.threshold)
    assert parse(again).match == found.match


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a.b > 1", {}),
        (" a.b{} >1", {}),
        ('a.b{x="1",} > 1', {"x": "1"}),
        ("a.b{x='it\\'s', y=`raw\\n`} > 1", {"x": "it's", "y": "raw\\n"}),
        ('a.b{x=~"p|q"} > 1', {"x": ("p", "q")}),
        ('a.b{x=~"p\\\\.q|r"} > 1', {"x": ("p.q", "r")}),
        ('a.b{x="\\u00fc\\x41"} > 1', {"x": "üA"}),
        ('a.b{x=~"one"} > 1', {"x": ("one",)}),
    ],
)
def test_what_is_allowed(text, match):
    assert dict(parse(text).match) == match


@pytest.mark.parametrize("pattern", ["a.*", "a+", "(a)", "[ab]", "^a", "a\\\\d", "a$", "a?", "a{2}", "\\\\"])
def test_a_regular_expression_is_refused_by_what_makes_it_one(pattern):
    with pytest.raises(ExpressionError, match="regular expression"):
        parse(f'a{{x=~"{pattern}"}} > 1')


def test_a_matcher_is_promql():
    assert matcher("a", 'x"\\\n') == 'a="x\\"\\\\\\x0a"'
    assert matcher("a", ("b.c", "d|e")) == 'a=~"b\\\\.c|d\\\\|e"'

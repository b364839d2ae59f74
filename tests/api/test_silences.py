"""Silences."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.patterns import refusal
from clustersight.times import iso
from tests.api.answers import bad, envelope, good, paths

if TYPE_CHECKING:
    from tests.api.conftest import Client

SILENCE: dict[str, Any] = {
    "matchers": [{"label": "alertname", "op": "=~", "value": "Disk.*"}],
    "duration_minutes": 60,
    "by": "ann",
    "comment": "moving disks",
}


def test_a_silence_is_made_listed_and_ended(client: Client) -> None:
    made = good(client.post("/silences", SILENCE), 201)

    assert (made["starts_at"], made["state"]) == (iso(client.time.now), "active")
    assert made["ends_at"] == iso(client.time.now + 3600)
    assert made["matchers"] == SILENCE["matchers"]
    answer = client.get("/silences")
    assert good(answer) == [made]
    assert envelope(answer)["meta"] == {"total": 1, "limit": 50, "offset": 0, "has_more": False}

    good(client.delete(f"/silences/{made['id']}"))
    assert good(client.get("/silences")) == []
    bad(client.delete(f"/silences/{made['id']}"), 404, "not_found")


def test_a_silence_begins_and_expires(client: Client) -> None:
    later = {"starts_at": iso(client.time.now + 60), "ends_at": iso(client.time.now + 120)}
    without = {key: value for key, value in SILENCE.items() if key != "duration_minutes"}
    good(client.post("/silences", without | later), 201)

    seen = []
    for _ in range(3):
        seen.append(good(client.get("/silences"))[0]["state"])
        client.time.now += 60
    assert seen == ["pending", "active", "expired"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"duration_minutes": None}, "ends_at"),
        ({"ends_at": "2026-03-23T00:00:00Z"}, "ends_at"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": True}, "duration_minutes"),
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"label": "a b", "value": ""}]}, "matchers.0.label"),
        ({"matchers": [{"label": "a", "op": "~", "value": ""}]}, "matchers.0.op"),
        ({"matchers": [{"label": "a", "op": "=~", "value": "("}]}, "matchers.0.value"),
        ({"matchers": [{"label": "a", "op": "!~", "value": "(a+)+b"}]}, "matchers.0.value"),
        ({"matchers": [{"label": "a", "op": "=~", "value": "x" * 301}]}, "matchers.0.value"),
        ({"starts_at": "tomorrow"}, "starts_at"),
        ({"starts_at": "2026-03-22T14:00:00"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"by": ""}, "by"),
        ({"comment": "x" * 3000}, "comment"),
        ({"who": "me"}, "who"),
    ],
)
def test_what_is_wrong_with_a_silence_is_said_at_its_field(
    client: Client, change: dict[str, Any], path: str
) -> None:
    error = bad(client.post("/silences", SILENCE | change), 422, "validation_error")

    assert paths(error) == {path}
    assert good(client.get("/silences")) == []


def test_pages_say_what_is_behind_them(client: Client) -> None:
    for _ in range(3):
        good(client.post("/silences", SILENCE), 201)

    answer = client.get("/silences?limit=2&offset=0")

    assert len(good(answer)) == 2
    assert envelope(answer)["meta"] == {"total": 3, "limit": 2, "offset": 0, "has_more": True}
    assert len(good(client.get("/silences?limit=2&offset=2"))) == 1


GOOD = (
    "Disk.*", "prod-(eu|us)-[0-9]+", "(?:ab)+", "[(]+", "[]a]+", "a{2}b{3}", r"\(\d+\)", "(a|b)?",
    ".*a.*|.*b.*|.*c.*", "(?P<x>a)b", "", "x" * 300,
)  # fmt: skip
BAD = (
    "(a+)+", "(a*)*b", "(a|a)*b", "((a+)?)*", "(?:a{1,9}){1,9}", "([ab]+c?)+", r"(a)\1", "(?=a)a", "(?i)a",
    ".*.*.*.*b", "(", "a**", "x" * 301, "(" * 200 + ")" * 200 + "(",
)  # fmt: skip


@pytest.mark.parametrize("pattern", GOOD)
def test_a_pattern_that_is_cheap_is_taken(pattern: str) -> None:
    assert refusal(pattern) is None


@pytest.mark.parametrize("pattern", BAD)
def test_a_pattern_that_could_run_for_ever_is_refused(pattern: str) -> None:
    assert refusal(pattern)


@pytest.mark.timeout(60)
@settings(deadline=None)
@given(st.text(alphabet="ab.*+?|()[]{},12\\^$:P<>=!#", max_size=30))
def test_whatever_is_taken_has_an_end(pattern: str) -> None:
    """What explodes would run into the time that a test may take."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        if refusal(pattern) is None:
            for text in ("a" * 60 + "c", "ab" * 30 + "c"):
                re.compile(pattern).fullmatch(text)


def test_plain_text_is_no_pattern(client: Client) -> None:
    matcher = {"label": "table", "op": "=", "value": "(a+)+"}

    good(client.post("/silences", SILENCE | {"matchers": [matcher]}), 201)


@pytest.mark.parametrize(
    "matcher",
    [
        {"label": "no_such_label", "op": "!=", "value": "x"},
        {"label": "host", "op": "=~", "value": ".*"},
        {"label": "host", "op": "=", "value": ""},
        {"label": "host", "op": "!~", "value": "h[0-9]+"},
    ],
)
def test_a_silence_of_everything_is_refused(client: Client, matcher: dict[str, str]) -> None:
    error = bad(client.post("/silences", SILENCE | {"matchers": [matcher]}), 422, "validation_error")
    assert paths(error) == {"matchers"}
    assert "everything" in error["message"]
    with_another = [matcher, *SILENCE["matchers"]]
    good(client.post("/silences", SILENCE | {"matchers": with_another}), 201)

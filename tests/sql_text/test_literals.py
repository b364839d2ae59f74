"""Taking values out of texts, whatever they hold."""

from __future__ import annotations

import pytest

from clustersight.sql_text.literals import masked, strip, stripped_line, stripped_message
from clustersight.sql_text.tokens import tokens

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("SELECT 1", "SELECT ?"),
        ("SELECT a FROM t1 WHERE b = 'x' AND c = -1.5e-3", "SELECT a FROM t1 WHERE b = ? AND c = -?"),
        ("SELECT  a\n\n FROM\tt", "SELECT a FROM t"),
        ("SELECT a IN (1, 2,\n'c')", "SELECT a IN (?..)"),
        ("SELECT '<!channel> it''s \\' fine', 2", "SELECT ?.."),
        ('SELECT `col 1`, "col 2", a.b2', 'SELECT `col 1`, "col 2", a.b2'),
        ("SELECT 0xDEADbeef, 1_000, 1e10", "SELECT ?.."),
        ("", ""),
    ],
)
def test_a_query_without_its_values(query: str, left: str) -> None:
    assert strip(query) == left


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT '{SECRET}",  # cut by log_queries_cut_to_length
        f"SELECT 'a\\'{SECRET}",
        f"SELECT 'a''{SECRET}'",
        f"SELECT '{SECRET}\\",
        f"SELECT $${SECRET}$$, 1",
        f"SELECT $tag$ ' {SECRET}",
        f"SELECT 1 -- {SECRET}",
        f"SELECT 1 # {SECRET}",
        f"SELECT 1 /* {SECRET}",
        f"SELECT /* ' */ '{SECRET}'",
        f"SELECT \u2018{SECRET}\u2019",
        f"SELECT 'a\n{SECRET}\n'",
    ],
)
def test_no_value_is_left(query: str) -> None:
    assert SECRET not in strip(query)


@pytest.mark.parametrize("text", ["", "'", "a'b\"c`d$$e/*f", "\\", "SELECT \x00 'ä' ‘x’ -- é\n1", "$a$b$c$"])
def test_the_tokens_are_the_whole_text(text: str) -> None:
    assert "".join(token.text for token in tokens(text)) == text


@pytest.mark.parametrize(
    ("exception", "query", "left"),
    [
        (  # 26.9
            (
                "Code: 47. DB::Exception: Unknown expression identifier `nosuch`. In scope SELECT nosuch"
                " FROM t WHERE a = 5551234. (UNKNOWN_IDENTIFIER) (version 26.9.2.1)"
            ),
            "SELECT nosuch FROM t WHERE a = 5551234",
            "Unknown expression identifier `nosuch`. …",
        ),
        (
            "Code: 6. DB::Exception: Cannot parse string 'hunter2' as UInt32. (CANNOT_PARSE_TEXT)",
            "SELECT toUInt32('hunter2')",
            "Cannot parse string …",
        ),
        (  # 18.16
            (
                "Code: 62, e.displayText() = DB::Exception: Syntax error: failed at position 8: 5551 a."
                " Expected x, e.what() = DB::Exception"
            ),
            "SELECT 5551 a",
            "Syntax error: failed at position 8 …",
        ),
        (
            (
                "Code: 42, e.displayText() = DB::Exception: Number of arguments doesn't match: passed 2,"
                " e.what() = DB::Exception"
            ),
            "SELECT f(1, 2)",
            "Number of arguments doesn't match: passed 2",
        ),
        (
            "Code: 53. DB::Exception: Cannot convert string hunter2 to type UInt8. (TYPE_MISMATCH)",
            "SELECT a = 'hunter2'",
            "Cannot convert string ? to type UInt8. (TYPE_MISMATCH)",
        ),
        (
            (
                "Code: 395. DB::Exception: hunter2: while executing 'FUNCTION throwIf(1)'."
                " (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)"
            ),
            "SELECT throwIf(1, 'hunter2')",
            "(the query's own text)",
        ),
        (
            (
                "Code: 241. DB::Exception: Memory limit (total) exceeded: would use 1.00 GiB: While executing"
                " Aggregating. (MEMORY_LIMIT_EXCEEDED)"
            ),
            "SELECT 1",
            "Memory limit (total) exceeded: would use 1.00 GiB …",
        ),
    ],
)
def test_a_message_without_values(exception: str, query: str, left: str) -> None:
    assert stripped_message(exception, query) == left


def test_figures_of_a_plan_are_the_server_s() -> None:
    assert stripped_line("   │  Parts: 1/3") == "   │  Parts: 1/3"
    assert stripped_line("Condition: (a in [4711, 4711])") == "Condition: (a in [?, ?])"


@pytest.mark.parametrize(
    ("exception", "left"),
    [
        ("", ""),
        (
            "Code: 395. DB::Exception: hunter2: while executing 'FUNCTION throwIf('hunter2') UInt8'",
            "Code: 395. (the query's own text)",
        ),
        (
            "Code: 6, e.displayText() = DB::Exception: Cannot parse string 'hunter2' as UInt8",
            "Code: 6. Cannot parse string …",
        ),
        (
            "Code: 234. DB::Exception: No active replica has part all_0_0_0. (NO_REPLICA_HAS_PART)",
            "Code: 234. No active replica has part all_0_0_0. (NO_REPLICA_HAS_PART)",
        ),
        ("Connection loss", "Connection loss"),
    ],
)
def test_what_everyone_may_read_of_an_exception(exception: str, left: str) -> None:
    assert masked(exception) == left

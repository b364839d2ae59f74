"""Which texts are one SELECT that may be run for its author."""

from __future__ import annotations

import pytest

from clustersight.sql_text.selects import NotASelect, asks_keeper, one_select


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("SELECT 1 AS value", "SELECT 1 AS value"),
        ("SELECT 1 AS value ; ;\n-- the end", "SELECT 1 AS value"),
        ("/* why */ WITH 1 AS x SELECT x AS value", "WITH 1 AS x SELECT x AS value"),
        ("(SELECT 1 AS value) UNION ALL (SELECT 2)", "(SELECT 1 AS value) UNION ALL (SELECT 2)"),
        ("SELECT '; DROP TABLE x -- ' AS a, 1 AS value", "SELECT '; DROP TABLE x -- ' AS a, 1 AS value"),
        ("SELECT format('{}', a), `insert`, 1 AS value", "SELECT format('{}', a), `insert`, 1 AS value"),
        (
            "SELECT Settings['x'] AS s FROM system.query_log",
            "SELECT Settings['x'] AS s FROM system.query_log",
        ),
        ("SELECT count() AS value FROM cluster('c', system.one)",) * 2,
    ],
)
def test_one_select_is_left_without_comments(text: str, left: str) -> None:
    assert one_select(text) == left


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must be a SELECT"),
        (" -- nothing", "must be a SELECT"),
        ("DROP TABLE x", "must be a SELECT"),
        ("SYSTEM SHUTDOWN", "must be a SELECT"),
        ("SELECT 1; DROP TABLE x", "more than one statement"),
        ("INSERT INTO x SELECT 1", "must be a SELECT"),
        ("WITH 1 AS x INSERT INTO t SELECT x", "the word INSERT"),
        ("SELECT 1 INTO OUTFILE '/tmp/x'", "the word OUTFILE"),
        ("SELECT 1 AS value FORMAT JSON", "it has FORMAT"),
        ("SELECT 1 AS value FORMAT JSON SETTINGS max_threads = 9", "it has"),
        ("SELECT * FROM (SELECT 1 FORMAT Null)", "it has FORMAT"),
        ("SELECT 1 AS value SETTINGS max_execution_time = 0", "it has SETTINGS"),
        ("SELECT * FROM (SELECT 1 SETTINGS `readonly`=0)", "it has SETTINGS"),
        ("SELECT 1 AS value) UNION ALL SELECT * FROM (SELECT 2", "brackets do not match"),
        ("SELECT (1 AS value", "brackets do not match"),
        ("SELECT 'open", "has no end"),
        ("SELECT 1 /* open", "has no end"),
        ("SELECT $$x$$ AS value", "outside of quotes"),
        ("SELECT 1 AS größe", "outside of quotes"),
        ("SELECT 1 AS value FROM url('http://169.254.169.254/', 'CSV', 'x String')", "it calls url"),
        ("SELECT 1 AS value FROM `file` ('/etc/passwd')", "it calls file"),
        ("SELECT sleep(3) AS value", "it calls sleep"),
    ],
)
def test_anything_else_is_not_run(text: str, reason: str) -> None:
    with pytest.raises(NotASelect, match=reason):
        one_select(text)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("SELECT count() AS value FROM system.zookeeper WHERE path = '/'", True),
        ("SELECT total_replicas - active_replicas AS value FROM system.replicas", True),
        ("SELECT * FROM system.replicas", True),
        ("SELECT absolute_delay AS value, table FROM system.replicas", False),
        ("SELECT 'zookeeper' AS a, 1 AS value", False),
    ],
)
def test_who_may_ask_keeper_is_known(text: str, asks: bool) -> None:
    assert asks_keeper(text) is asks

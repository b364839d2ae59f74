"""Which texts are explained, and what is left of them."""

from __future__ import annotations

import pytest

from clustersight.inspector.errors import NotExplainable
from clustersight.inspector.statement import explainable

NO_SELECT = "only a SELECT"
SEVERAL = "more than one statement"
CUT = "cut off"
FOREIGN = "outside of quotes"
KEEPER = "Keeper"


@pytest.mark.parametrize(
    ("text", "explained"),
    [
        ("SELECT 1", "SELECT 1"),
        ("  select a->b, c::Int8, .5 FROM t;  ;", "select a->b, c::Int8, .5 FROM t"),
        ("SELECT 1\n FORMAT Native", "SELECT 1"),
        ("SELECT 1 FORMAT JSON SETTINGS use_index = 1", "SELECT 1  SETTINGS use_index = 1"),
        ("SELECT format('{}', a) AS format FROM t", "SELECT format('{}', a) AS format FROM t"),
        ("WITH 1 AS x SELECT x -- url(", "WITH 1 AS x SELECT x"),
        ("SELECT /* a */1", "SELECT  1"),
        ("(SELECT 1) UNION ALL (SELECT 2)", "(SELECT 1) UNION ALL (SELECT 2)"),
        ("FROM t SELECT a", "FROM t SELECT a"),
        ("SELECT * FROM numbers(10)", "SELECT * FROM numbers(10)"),
        ("SELECT url, file FROM t WHERE s3 = 'url(1)'", "SELECT url, file FROM t WHERE s3 = 'url(1)'"),
        ("SELECT 1 LIMIT 0", "SELECT 1 LIMIT 0 OFFSET 0"),
        (
            "SELECT 1 SETTINGS max_execution_time = 0, final = 1, MAX_MEMORY_USAGE=0",
            "SELECT 1 SETTINGS  final = 1",
        ),
        ("SELECT 1 SETTINGS max_threads = 1", "SELECT 1"),
        (
            "SELECT * FROM (SELECT 1 SETTINGS readonly = 0, `max_threads` = -1) LIMIT 1",
            "SELECT * FROM (SELECT 1   ) LIMIT 1",
        ),
    ],
)
def test_what_is_explained(text: str, explained: str) -> None:
    assert explainable(text).split() == explained.split()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", NO_SELECT),
        (";", NO_SELECT),
        ("-- SELECT 1", NO_SELECT),
        ("INSERT INTO t SELECT 1", NO_SELECT),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", NO_SELECT),
        ("SELECT * FROM (EXPLAIN SELECT 1)", NO_SELECT),
        ("SELECT 1 INTO OUTFILE 'x'", NO_SELECT),
        ("DROP TABLE t", NO_SELECT),
        ("SELECT 1; DROP TABLE t", SEVERAL),
        ("SELECT 1;;SELECT 2", SEVERAL),
        ("SELECT * FROM url('http://x')", "url"),
        ("SELECT * FROM URL ('http://x')", "URL"),
        ("SELECT * FROM url/* x */('http://x')", "url"),
        ("SELECT * FROM url -- x\n ('http://x')", "url"),
        ("SELECT * FROM `url`('http://x')", "url"),
        ('SELECT * FROM "url"(1)', "url"),
        ("SELECT * FROM `u\\x72l`(1)", "url"),
        ("SELECT * FROM s3('x')", "s3"),
        ("SELECT * FROM remote('x', a.b)", "remote"),
        ("SELECT (SELECT count() FROM remoteSecure('x', a.b))", "remoteSecure"),
        ("SELECT file('passwd')", "file"),
        ("SELECT * FROM executable('x.sh', TSV, 'a Int8')", "executable"),
        ("SELECT 1 WHERE 1 IN mysql('h', 'd', 't', 'u', 'p')", "mysql"),
        ("SELECT '/*', * FROM url('x') --*/", "url"),
        ("SELECT /* /* */ * FROM url('x') */", "url"),
        ("SELECT * FROM clusterAllReplicas(c, a.b)", "clusterAllReplicas"),
        ("SELECT sleep(3)", "sleep"),
        ("SELECT * FROM system.zookeeper WHERE path = '/'", KEEPER),
        ("SELECT * FROM system.`zookeeper`", KEEPER),
        ("SELECT 'abc", CUT),
        ("SELECT 1 /* abc", CUT),
        ("SELECT `abc", CUT),
        ("SELECT $$ a $$", FOREIGN),
        ("SELECT \u2018a\u2019", FOREIGN),
        ("SELECT 1 \u2013 1", FOREIGN),
        ("SELECT\u00a01", NO_SELECT + "|" + FOREIGN),
        ("SELECT 1 \x00 2", FOREIGN),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(NotExplainable, match=reason):
        explainable(text)


def test_the_server_s_own_table_functions_are_refused_too() -> None:
    assert explainable("SELECT * FROM newThing(1)")
    with pytest.raises(NotExplainable, match="newThing"):
        explainable("SELECT * FROM newThing(1)", ["newThing", "numbers"])
    assert explainable("SELECT * FROM numbers(1)", ["newThing", "numbers"])


def test_a_quoted_name_is_not_cut_open() -> None:
    text = "SELECT `a -- b`, \"c /* d\", 'e; f' FROM t"
    assert explainable(text) == text

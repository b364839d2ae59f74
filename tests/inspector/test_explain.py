"""EXPLAIN of logged queries, on ClickHouse 26.9; 18.16 has none."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from clustersight.clickhouse.errors import AccessDenied
from clustersight.inspector.errors import NotExplainable, QueryLogUnavailable, UnknownHash
from clustersight.inspector.explain import EXPLAIN, Explained, explain
from clustersight.panels.panel import Status
from tests.inspector.asking import logged, sessions, wait_for, write_log
from tests.panels.tables import HOSTILE, database, make_table
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import ClosingPeer

SECRET = "hunter2"


@pytest.fixture
def table(embedded: EmbeddedServer) -> Iterator[tuple[str, str]]:
    """(the database, its quoted table) with three parts in three partitions."""
    with database(embedded) as name:
        quoted = make_table(embedded, (name, "t"))
        for month in (1, 2, 3):
            embedded.execute(
                f"INSERT INTO {quoted} SELECT toDate('2020-0{month}-01'), number, toString(number)"
                " FROM numbers(1000)"
            )
        yield name, quoted


def hash_of(server: EmbeddedServer, text: str, **settings: str) -> str:
    """Run a query and return its hash in the log."""
    server.execute(text, **settings)
    logged(server, f"type = 2 AND query = {quote(text)}")
    return normalized_hash(server, text)


def normalized_hash(server: EmbeddedServer, text: str) -> str:
    return str(server.execute(f"SELECT toString(normalizedQueryHash({quote(text)}))")[0][0])


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def written_hash(server: EmbeddedServer, text: str, **columns: str | int) -> str:
    """Put a text into the log and return its hash."""
    write_log(server, f"u{uuid.uuid4().hex}", text, 1, **columns)
    return normalized_hash(server, text)


def explained(server: EmbeddedServer, query_hash: str, *kind: str, **asked: bool) -> Explained:
    with sessions(server) as opened:
        return explain(opened, query_hash, *kind, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("plan", "ReadFromMergeTree"),
        ("pipeline", "ExpressionTransform"),
        ("syntax", "FROM"),
        ("indexes", "Parts: 1/3"),
    ],
)
def test_each_kind_of_explain(
    embedded: EmbeddedServer, table: tuple[str, str], kind: str, words: str
) -> None:
    text = f"SELECT count() FROM {table[1]} WHERE d = '2020-01-01' AND a = 471 AND s != '{SECRET}'"
    found = explained(embedded, hash_of(embedded, text), kind)
    assert (found.kind, found.host, found.nodes) == (kind, "node0", {"node0": Status.OK})
    assert found.query == f"SELECT count() FROM {table[1]} WHERE d = ? AND a = ? AND s != ?"
    assert words in "\n".join(found.lines)
    assert not [line for line in found.lines if SECRET in line or "471" in line or "2020" in line]
    assert found.data == {
        "query_hash": found.query_hash,
        "kind": kind,
        "query": found.query,
        "lines": list(found.lines),
        "host": "node0",
    }


def test_values_are_shown_where_that_is_wanted(embedded: EmbeddedServer, table: tuple[str, str]) -> None:
    text = f"SELECT count() FROM {table[1]} WHERE s != '{SECRET}'"
    found = explained(embedded, hash_of(embedded, text), "syntax", show_literals=True)
    assert found.query == text
    assert SECRET in "\n".join(found.lines)


def test_a_name_that_looks_like_a_figure_hides_no_value(embedded: EmbeddedServer) -> None:
    text = f"SELECT 'Parts: 1' AS `Parts: `, 'a\n{SECRET}\nb' WHERE `Parts: ` = '{SECRET}'"
    for kind in EXPLAIN:
        assert SECRET not in "\n".join(explained(embedded, hash_of(embedded, text), kind).lines)


@pytest.mark.parametrize("order", [("newer", "older"), ("older", "newer")])
def test_the_latest_text_is_explained(embedded: EmbeddedServer, order: tuple[str, str]) -> None:
    """Also of several in one second: names with many digits do not count in a hash."""
    mark = f"m{'x'.join(uuid.uuid4().hex)}"
    for word in order:
        micros = 900 if word == "newer" else 100
        write_log(
            embedded,
            "someone",
            f"SELECT '{word}' AS {mark}",
            1,
            event_time="toStartOfMinute(now())",
            event_time_microseconds=f"toStartOfMinute(now()) + toIntervalMicrosecond({micros})",
        )
    query_hash = normalized_hash(embedded, f"SELECT '' AS {mark}")
    assert "'newer'" in explained(embedded, query_hash, show_literals=True).query


def test_bare_names_are_those_of_the_query_s_database(
    embedded: EmbeddedServer, table: tuple[str, str]
) -> None:
    query_hash = hash_of(embedded, f"SELECT count(), '{table[0]}' FROM t WHERE a > 1", database=table[0])
    assert f"ReadFromMergeTree ({table[0]}.t)" in "\n".join(explained(embedded, query_hash).lines)


def test_drivers_append_a_format_and_tools_ask_for_no_rows(embedded: EmbeddedServer) -> None:
    found = explained(embedded, written_hash(embedded, "SELECT 1 AS a1b2 LIMIT 0\n FORMAT Native"))
    assert "Limit" in "\n".join(found.lines)


def test_hostile_text_is_explained_as_it_is(embedded: EmbeddedServer) -> None:
    text = f"SELECT {quote(HOSTILE)} AS c4d5, '{{{{a ? b : c}}}}', '%s %(x)s'"
    found = explained(embedded, written_hash(embedded, text), "syntax", show_literals=True)
    assert found.query == text
    assert "{{a ? b : c}}" in "\n".join(found.lines)
    assert "<!channel>" in "\n".join(found.lines)


@pytest.mark.parametrize(
    "query_hash", ["12345", "0", "", "abc123def456...", "-1", "1' OR 1=1 --", "9" * 20, "٣"]
)
def test_a_hash_that_nobody_has(embedded: EmbeddedServer, query_hash: str) -> None:
    with pytest.raises(UnknownHash):
        explained(embedded, query_hash)


def test_a_query_of_yesterday_is_found(embedded: EmbeddedServer) -> None:
    text = "SELECT 1 AS yesterday9"
    write_log(embedded, "someone", text, 1, hours_ago=20)
    assert explained(embedded, normalized_hash(embedded, text)).lines


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT * FROM url('http://127.0.0.1:PORT/x') AS q1", "url"),
        ("SELECT * FROM `url`/* */('http://127.0.0.1:PORT/x', TSV, 'a Int8') AS q2", "url"),
        ("SELECT (SELECT max(a) FROM remote('127.0.0.1:PORT', a.b)) AS q3", "remote"),
        ("SELECT '/*', * FROM s3('http://127.0.0.1:PORT/x') AS q4 --*/", "s3"),
        ("SELECT 1 AS q5; DROP TABLE nosuch", "more than one"),
        ("SELECT 'q6", "cut off"),
        ("SELECT * FROM nosuch.nosuch7", "cannot explain"),
        ("SELECT nosuch8", "cannot explain"),
    ],
)
def test_what_is_not_explained(embedded: EmbeddedServer, text: str, reason: str) -> None:
    with ClosingPeer() as peer:
        query_hash = written_hash(embedded, text.replace("PORT", str(peer.port)))
        with pytest.raises(NotExplainable, match=reason):
            explained(embedded, query_hash)
        assert peer.accepted == 0


def test_another_statement_is_not_explained(embedded: EmbeddedServer) -> None:
    query_hash = written_hash(embedded, "INSERT INTO t SELECT 1 AS ins1", query_kind="'Insert'")
    with pytest.raises(NotExplainable, match="SELECT can be explained, and this is Insert"):
        explained(embedded, query_hash)


def test_a_reason_does_not_tell_values(embedded: EmbeddedServer) -> None:
    query_hash = written_hash(
        embedded, f"SELECT nosuch9 FROM system.one WHERE 1 = 5551234 OR '{SECRET}' = ''"
    )
    with pytest.raises(NotExplainable) as caught:
        explained(embedded, query_hash)
    assert SECRET not in caught.value.message
    assert "5551234" not in caught.value.message
    assert "nosuch9" in caught.value.message


def test_a_text_that_the_log_has_cut_is_not_explained(embedded: EmbeddedServer) -> None:
    text = "SELECT 1 AS long1 " + " " * 100_000
    query_hash = written_hash(embedded, text[:100_000])
    with pytest.raises(NotExplainable, match="log_queries_cut_to_length"):
        explained(embedded, query_hash)


def test_functions_that_users_defined_are_not_run(embedded: EmbeddedServer) -> None:
    name = f"mine{uuid.uuid4().hex[:8]}"
    embedded.execute(f"CREATE FUNCTION {name} AS (x) -> x + 1")
    try:
        query_hash = hash_of(embedded, f"SELECT {name}(1)")
        with pytest.raises(NotExplainable, match=name):
            explained(embedded, query_hash)
    finally:
        embedded.execute(f"DROP FUNCTION {name}")


def test_what_explain_executes_has_our_limits_and_only_reads(embedded: EmbeddedServer) -> None:
    """A scalar subquery runs; a SETTINGS clause of the text does not lift the limits."""
    settings = ("readonly", "max_execution_time", "max_threads", "max_memory_usage")
    values = ", '/', ".join(f"toString(getSetting('{name}'))" for name in settings)
    with database(embedded) as name:
        table = make_table(embedded, (name, "t"))
        embedded.execute(f"INSERT INTO {table} SELECT '2020-01-01', 1, 'x'")
        text = (
            f"SELECT a FROM {table} WHERE s != (SELECT concat({values}) SETTINGS max_threads = 9)"
            " SETTINGS max_execution_time = 0, max_memory_usage = 0, readonly = 0"
        )
        found = explained(embedded, written_hash(embedded, text), "plan", show_literals=True)
    assert "'2/20/2/2000000000'" in "\n".join(found.lines)


def test_an_old_server_has_no_explain(replicas: list[ClickHouse18]) -> None:
    with sessions(replicas[0]) as opened, pytest.raises(NotExplainable, match=r"18\.16"):
        explain(opened, "12345")


def test_the_node_that_ran_it_explains_it(embedded: EmbeddedServer, replicas: list[ClickHouse18]) -> None:
    query_hash = written_hash(embedded, "SELECT 1 AS where1")
    with sessions(replicas[0], embedded) as opened:
        found = explain(opened, query_hash)
    assert found.host == "node1"
    assert found.nodes == {"node0": Status.ERROR, "node1": Status.OK}
    assert "18.16" in found.errors["node0"]


def test_without_the_right_to_read_a_table_the_grant_is_named(
    own_embedded: Callable[..., EmbeddedServer],
) -> None:
    server = own_embedded(
        grants=[
            "GRANT SELECT, INSERT ON system.*",
            "GRANT CREATE TABLE ON default.*",
            "GRANT TABLE ENGINE ON *",
            "GRANT READ ON FILE",
        ]
    )
    server.execute("CREATE TABLE default.t (a Int8, b Int8) ENGINE = Memory")
    query_hash = written_hash(server, "SELECT a, b FROM default.t")
    grant = r"GRANT SELECT ON default\.t TO `monitor`"
    with sessions(server) as opened, pytest.raises(AccessDenied, match=grant) as caught:
        explain(opened, query_hash)
    assert caught.value.code == 497


def test_without_the_texts_nothing_is_explained(own_embedded: Callable[..., EmbeddedServer]) -> None:
    columns = "event_date, event_time, type, normalized_query_hash, query_kind, is_initial_query"
    server = own_embedded(
        grants=[f"GRANT SELECT({columns}) ON system.query_log", "GRANT SELECT ON system.settings"]
    )
    server.execute("SELECT 1")

    def ask() -> str:
        with sessions(server) as opened, pytest.raises((NotExplainable, QueryLogUnavailable)) as caught:
            explain(opened, "12345")
        return str(caught.value.message)

    wait_for(lambda: "holds the texts" in ask())


def test_kinds_are_those_of_the_api() -> None:
    assert sorted(EXPLAIN) == ["indexes", "pipeline", "plan", "syntax"]

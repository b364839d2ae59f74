"""EXPLAIN of a query that the log knows by its hash, on the node that ran it last.

EXPLAIN executes scalar subqueries and asks table functions (ClickHouse traps, 20): `statement` says which
texts it is run for, and it carries the limits of every query of ours and is read-only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from clustersight.clickhouse.errors import AccessDenied, QueryFailed, Unsupported
from clustersight.clickhouse.sql import ident
from clustersight.inspector import query_log
from clustersight.inspector.errors import NotExplainable, UnknownHash
from clustersight.inspector.nodes import TIMEOUT_SECONDS, Deadline, Node, Sessions, ask_all
from clustersight.inspector.statement import called_names, explainable
from clustersight.panels.panel import Status
from clustersight.sql_text import literals
from clustersight.sql_text.tokens import Kind

ExplainKind = Literal["plan", "pipeline", "syntax", "indexes"]

EXPLAIN: Mapping[str, str] = {
    "plan": "EXPLAIN PLAN",
    "pipeline": "EXPLAIN PIPELINE",
    "syntax": "EXPLAIN SYNTAX",
    "indexes": "EXPLAIN PLAN indexes = 1",
}
# All four came with 20.6, indexes with 21.1: an older server does not know that word, and says so.
EXPLAIN_SINCE = (20, 6)
# Most queries that somebody asks about ran lately, and an hour of the log is read in milliseconds.
WINDOWS_HOURS = (1, 24, 168)
MOST_HASH = 2**64 - 1
SQL = f"""
SELECT
    toUnixTimestamp(event_time) AS ran_at,
    query AS text,
    {query_log.KIND} AS statement_kind,
    {{{{current_database ? current_database : ''}}}} AS database,
    length(query) >= toUInt64(getSetting('log_queries_cut_to_length')) AS is_cut
FROM system.query_log
WHERE event_date >= toDate(now() - %(seconds)s) AND event_time >= now() - %(seconds)s
    AND is_initial_query AND normalized_query_hash = %(hash)s AND isValidUTF8(query)
ORDER BY event_time DESC {{{{event_time_microseconds ? , event_time_microseconds DESC}}}}
LIMIT 1
"""  # noqa: S608 - put together from constants, values are bound
SQL_TABLE_FUNCTIONS = "SELECT name FROM system.table_functions ORDER BY name LIMIT 1000"
SQL_USER_DEFINED = """
SELECT name FROM system.functions
WHERE name IN %(names)s AND toString(origin) != 'System'
ORDER BY name
LIMIT 1
"""
_GRANT = re.compile(r"have the grant (.+? ON \S+?)\.?(?:\s|$)")
MOST_LINES = 5000


@dataclass(frozen=True, slots=True)
class Explained:
    """`query` is what was explained; it and `lines` are without values unless literals are shown."""

    query_hash: str
    kind: str
    query: str
    lines: tuple[str, ...]
    host: str
    nodes: Mapping[str, Status]
    errors: Mapping[str, str]

    @property
    def data(self) -> dict[str, Any]:
        """As the API names it."""
        return {name: value for name, value in asdict(self).items() if name not in ("nodes", "errors")} | {
            "lines": list(self.lines)
        }

    @property
    def meta(self) -> dict[str, Any]:
        return {"nodes": dict(self.nodes), "node_errors": dict(self.errors)}


@dataclass(frozen=True, slots=True)
class Logged:
    """The latest query with a hash on one node."""

    ran_at: int
    text: str
    statement_kind: str
    database: str
    is_cut: int


def explain(
    sessions: Sessions,
    query_hash: str,
    kind: ExplainKind = "plan",
    *,
    show_literals: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Explained:
    """Explain the latest query of the last seven days with this hash.

    Raises UnknownHash, NotExplainable, QueryLogUnavailable, TooExpensive, AccessDenied with the GRANT to
    give, and any other ClickHouseError if no node answers.
    """
    deadline = Deadline.within(timeout_seconds)
    host, logged, nodes, failures = _latest(sessions, _number(query_hash), deadline)
    if logged.statement_kind not in ("Select", ""):
        raise NotExplainable(f"only a SELECT can be explained, and this is {logged.statement_kind}")
    if logged.is_cut:
        raise NotExplainable("the logged text is cut off: raise log_queries_cut_to_length")
    lines = ask_all(
        {host: sessions[host]}, lambda node: _lines(node, logged, kind, show_literals), deadline
    ).by_host[host]
    query = logged.text if show_literals else literals.strip(logged.text)
    return Explained(query_hash, kind, query, tuple(lines), host, nodes, failures)


def _number(query_hash: str) -> int:
    number = int(query_hash) if re.fullmatch(r"[0-9]{1,20}", query_hash, re.ASCII) else MOST_HASH + 1
    if number > MOST_HASH:
        raise UnknownHash("a query_hash is a whole number below 2^64, in decimal digits")
    return number


def _latest(
    sessions: Sessions, number: int, deadline: Deadline
) -> tuple[str, Logged, Mapping[str, Status], Mapping[str, str]]:
    """Where it ran last, as what, and which nodes were asked."""
    for hours in WINDOWS_HOURS:
        answers = ask_all(sessions, lambda node, hours=hours: _logged(node, number, hours), deadline)  # type: ignore[misc]
        found = [(one.ran_at, host, one) for host, several in answers.by_host.items() for one in several]
        if found:
            _, host, logged = max(found, key=lambda one: one[:2])
            return host, logged, answers.nodes, answers.errors
    silent = f"; {', '.join(answers.errors)} did not answer" if answers.errors else ""
    raise UnknownHash(f"no query of the last seven days has this hash{silent}")


def _logged(node: Node, number: int, hours: int) -> list[Logged]:
    able = node.session.capabilities(node.deadline.left)
    if able.version_tuple < EXPLAIN_SINCE:
        raise NotExplainable(f"{node.host} is ClickHouse {able.version}, which has no EXPLAIN (20.6 has)")
    query_log.need(node)
    if not query_log.has(node, "query"):
        raise NotExplainable("our user may not read system.query_log.query, which holds the texts")
    return query_log.rows(node, SQL, Logged, seconds=3600 * hours, hash=number)


def _lines(node: Node, logged: Logged, kind: ExplainKind, show_literals: bool) -> list[str]:
    text = explainable(logged.text, _table_functions(node))
    _refuse_user_defined(node, called_names(text))
    able = node.session.capabilities(node.deadline.left)
    # Who is read-only already may not say so again.
    settings = {} if able.readonly else {"readonly": 2}
    try:
        result = node.run(f"{EXPLAIN[kind]} {text}", database=logged.database, **settings)
    except AccessDenied as error:
        raise _with_grant(error, node) from error
    except (Unsupported, QueryFailed) as error:
        message = (
            literals.plain_message if show_literals else lambda said: literals.stripped_message(said, text)
        )
        raise NotExplainable(f"{node.host} cannot explain it: {message(error.message)}") from error
    lines = [line for (cell, *_) in result.rows[:MOST_LINES] for line in str(cell).split("\n")]
    return lines if show_literals else [_stripped(line, kind) for line in lines]


def _stripped(line: str, kind: ExplainKind) -> str:
    """Without the query's values; the numbers of a pipeline are of threads and ports."""
    return literals.stripped_text(line, Kind.STRING) if kind == "pipeline" else literals.stripped_line(line)


def _table_functions(node: Node) -> list[str]:
    """The server's own; without the right to read them those that are known here must do."""
    try:
        return [name for (name,) in node.query(SQL_TABLE_FUNCTIONS).rows]
    except AccessDenied:
        return []


def _refuse_user_defined(node: Node, names: list[str]) -> None:
    if not names or not node.context.has("functions.origin"):
        return
    for (name,) in node.query(SQL_USER_DEFINED, names=tuple(names)).rows:
        raise NotExplainable(f"the text calls {name}, which users have defined: EXPLAIN may run it")


def _with_grant(error: AccessDenied, node: Node) -> AccessDenied:
    found = _GRANT.search(error.message)
    privilege = found.group(1) if found else "SELECT ON the query's tables"
    statement = f"GRANT {privilege} TO {ident(node.session.address.username)}"
    return AccessDenied(
        f"{node.host}: EXPLAIN needs the right to read the tables: {statement}", error.code, error.name
    )

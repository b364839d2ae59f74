"""system.query_log: whether it can be read, which of its rows count, and what a query is known by.

It exists only after the first logged query, is per node, lags by its flush interval (7.5 s), and has other
columns before 20.x: 18.16 has no hash, no kind, no code of an exception.
"""

from __future__ import annotations

from typing import Any, TypeVar

from clustersight.clickhouse import grants
from clustersight.clickhouse.connection import CLIENT_NAME
from clustersight.clickhouse.errors import AccessDenied, Unsupported
from clustersight.inspector.errors import QueryLogUnavailable, TooExpensive
from clustersight.inspector.nodes import Node

RowT = TypeVar("RowT")

# Without a hash the texts are read: at most a day of them.
MOST_HOURS_WITHOUT_HASH = 24
UNKNOWN_TABLE = 60
# The clock goes on between two questions about the same rows.
SLACK_SECONDS = 600

# Values and lengths of lists do not count, names do: as with normalizedQueryHash of later versions.
HASH = (
    "{{normalized_query_hash ? normalized_query_hash : "
    r"cityHash64(replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(query, "
    r"'\'([^\'\\\\]|\\\\.)*\'|\\b[0-9][0-9.]*\\b', '?'), '\\?(\\s*,\\s*\\?)+', '?'), '\\s+', ' '))"
    "}}"
)
_WORD = r"lower(extract(query, '^[\\s(]*([a-zA-Z]+)'))"
KIND = (
    f"{{{{query_kind ? query_kind : multiIf({_WORD} IN ('select', 'with'), 'Select', "
    f"concat(upper(substring({_WORD}, 1, 1)), substring({_WORD}, 2)))}}}}"
)
CODE = "{{exception_code ? exception_code : toInt32OrZero(extract(exception, '^Code: ([0-9]+)'))}}"
# What is not UTF-8 would come as hexadecimal digits over HTTP; toValidUTF8 is older than the hash. 10 KB of a
# text are shown: the log has up to log_queries_cut_to_length (100 000 bytes).
TEXT = "{{normalized_query_hash ? toValidUTF8}}({{query ? substring(query, 1, 10240) : ''}})"
EXCEPTION = "{{normalized_query_hash ? toValidUTF8}}({{exception ? substring(exception, 1, 4000) : ''}})"
# What users sent to this node, without the server's own queries and without ours. Our user may be one that
# others use as well, so ours are known by the client's name; where that may not be read, by the user.
USERS = """event_date >= toDate(now() - %(seconds)s) AND event_time >= now() - %(seconds)s
    AND is_initial_query {{is_internal ? AND NOT is_internal}}
    {{client_name, http_user_agent ? AND NOT (user = %(own)s
        AND (position(client_name, %(client)s) > 0 OR position(http_user_agent, %(client)s) > 0))
      : AND user != %(own)s}}
    {{log_comment ? AND log_comment != %(client)s}}"""

ENABLE = (
    "system.query_log does not exist: set log_queries = 1 in the users' profile and keep <query_log> in the"
    " server's configuration; it is made with the first logged query"
)


def rows(node: Node, sql: str, row_type: type[RowT], *, seconds: int, **values: Any) -> list[RowT]:
    """Rows of a statement on the log, with the values of USERS. Raises QueryLogUnavailable."""
    need(node)
    own = node.session.address.username
    try:
        return node.context.rows(sql, row_type, seconds=seconds, own=own, client=CLIENT_NAME, **values)
    except AccessDenied as error:
        raise _denied(node) from error
    except Unsupported as error:
        if error.code != UNKNOWN_TABLE:
            raise
        raise QueryLogUnavailable(ENABLE) from error


def check_range(node: Node, hours: int) -> None:
    """Raises TooExpensive for more than a day where texts have to be read."""
    need(node)
    if hours > MOST_HOURS_WITHOUT_HASH and not has(node, "normalized_query_hash"):
        version = node.session.capabilities(node.deadline.left).version
        raise TooExpensive(
            f"{node.host} is ClickHouse {version}, whose log has no hash of queries: ask for at most"
            f" {MOST_HOURS_WITHOUT_HASH} h",
            MOST_HOURS_WITHOUT_HASH,
        )


def has(node: Node, column: str) -> bool:
    """Whether the log has a column that we may read."""
    return node.session.capabilities(node.deadline.left).has(f"query_log.{column}")


def need(node: Node) -> None:
    """Raises QueryLogUnavailable where the log cannot be read."""
    if has(node, "event_time"):
        return
    node.session.forget()  # it may have been made, or granted, since its columns were looked for
    if has(node, "event_time"):
        return
    try:
        node.session.ask(grants.select("query_log").probe, node.deadline.left)
    except AccessDenied as error:
        raise _denied(node) from error
    except Unsupported as error:
        raise QueryLogUnavailable(ENABLE) from error
    # It may be read but its columns are hidden (select_from_system_db_requires_grant = 0): the same GRANT.
    raise _denied(node)


def _denied(node: Node) -> QueryLogUnavailable:
    statement = grants.select("query_log").statement(node.session.address.username)
    return QueryLogUnavailable(f"our user may not read system.query_log: run {statement}")

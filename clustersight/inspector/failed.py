"""The failed queries of a range, grouped by the code of their exception: system.query_log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clustersight.inspector import query_log
from clustersight.inspector.answers import Found
from clustersight.inspector.nodes import TIMEOUT_SECONDS, Deadline, Node, Sessions, ask_all
from clustersight.sql_text import literals

WHERE = f"type IN (3, 4) AND {query_log.USERS}"
# A code is one of about a thousand, so that every node tells all of them.
SQL = f"""
SELECT
    {query_log.CODE} AS code,
    count() AS failures,
    arraySlice(arraySort(groupUniqArray(user)), 1, 20) AS some_users,
    toUnixTimestamp(min(event_time)) AS first_at,
    toUnixTimestamp(max(event_time)) AS last_at
FROM system.query_log
WHERE {WHERE}
GROUP BY code
ORDER BY failures DESC, code
LIMIT 2000
"""  # noqa: S608 - put together from constants, values are bound
SQL_SAMPLES = f"""
SELECT
    {query_log.CODE} AS code,
    {query_log.EXCEPTION} AS message,
    {{{{exception ? extract(exception, '\\\\(([A-Z][A-Z0-9_]+)\\\\) \\\\(version') : ''}}}} AS name,
    {query_log.TEXT} AS text,
    query_id
FROM system.query_log
WHERE {WHERE} AND event_time IN %(times)s AND {query_log.CODE} IN %(codes)s
ORDER BY event_time DESC, query_id
LIMIT 1 BY code
LIMIT 2000
"""  # noqa: S608 - put together from constants, values are bound
MOST_USERS = 20
# For servers whose exceptions do not say it (18.16 … 20.x), the usual ones; from errorCodeToName of 26.9.
NAMES: Mapping[int, str] = {
    6: "CANNOT_PARSE_TEXT", 10: "NOT_FOUND_COLUMN_IN_BLOCK", 16: "NO_SUCH_COLUMN_IN_TABLE",
    20: "NUMBER_OF_COLUMNS_DOESNT_MATCH", 27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    33: "CANNOT_READ_ALL_DATA", 36: "BAD_ARGUMENTS", 38: "CANNOT_PARSE_DATE", 41: "CANNOT_PARSE_DATETIME",
    42: "NUMBER_OF_ARGUMENTS_DOESNT_MATCH", 43: "ILLEGAL_TYPE_OF_ARGUMENT", 44: "ILLEGAL_COLUMN",
    46: "UNKNOWN_FUNCTION", 47: "UNKNOWN_IDENTIFIER", 48: "NOT_IMPLEMENTED", 53: "TYPE_MISMATCH",
    57: "TABLE_ALREADY_EXISTS", 60: "UNKNOWN_TABLE", 62: "SYNTAX_ERROR", 70: "CANNOT_CONVERT_TYPE",
    73: "UNKNOWN_FORMAT", 81: "UNKNOWN_DATABASE", 117: "INCORRECT_DATA", 153: "ILLEGAL_DIVISION",
    158: "TOO_MANY_ROWS", 159: "TIMEOUT_EXCEEDED", 160: "TOO_SLOW", 164: "READONLY",
    179: "MULTIPLE_EXPRESSIONS_FOR_ALIAS", 184: "ILLEGAL_AGGREGATION", 192: "UNKNOWN_USER",
    193: "WRONG_PASSWORD", 202: "TOO_MANY_SIMULTANEOUS_QUERIES", 207: "AMBIGUOUS_IDENTIFIER",
    209: "SOCKET_TIMEOUT", 210: "NETWORK_ERROR", 215: "NOT_AN_AGGREGATE", 241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY", 252: "TOO_MANY_PARTS", 279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS", 307: "TOO_MANY_BYTES", 319: "UNKNOWN_STATUS_OF_INSERT",
    341: "UNFINISHED", 386: "NO_COMMON_TYPE", 394: "QUERY_WAS_CANCELLED",
    395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", 396: "TOO_MANY_ROWS_OR_BYTES", 497: "ACCESS_DENIED",
    999: "KEEPER_EXCEPTION",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FailedQueries:
    """All failures with one code. `users` are at most 20 names; times are in epoch seconds.

    The sample is the latest failure, on `host`; what may not be read is empty.
    """

    code: int
    name: str
    count: int
    users: tuple[str, ...]
    first_seen: int
    last_seen: int
    sample_message: str
    sample_query: str
    sample_query_id: str
    host: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A code as one node counts it."""

    code: int
    failures: int
    some_users: Sequence[str]
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True)
class Sample:
    code: int
    message: str
    name: str
    text: str
    query_id: str


@dataclass(frozen=True, slots=True)
class _Told:
    """What one node says of one code."""

    host: str
    figures: Figures
    sample: Sample


def failed(
    sessions: Sessions,
    *,
    hours: int,
    limit: int,
    show_literals: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Found[FailedQueries]:
    """The most frequent codes over the last `hours` of each node's own clock.

    Raises QueryLogUnavailable, TooExpensive, ClickHouseError; the latter only if no node answers.
    """
    answers = ask_all(sessions, lambda node: _told(node, hours), Deadline.within(timeout_seconds, hours))
    codes: dict[int, list[_Told]] = defaultdict(list)
    for told in answers.by_host.values():
        for one in told:
            codes[one.figures.code].append(one)
    rows = sorted(
        (_row(told, show_literals) for told in codes.values()), key=lambda row: (-row.count, row.code)
    )
    return Found(tuple(rows[:limit]), answers.nodes, answers.errors)


def _told(node: Node, hours: int) -> list[_Told]:
    query_log.check_range(node, hours)
    found = query_log.rows(node, SQL, Figures, seconds=3600 * hours)
    samples = {sample.code: sample for sample in _samples(node, found, hours)}
    none = Sample(0, "", "", "", "")  # a row of the log may be gone meanwhile
    return [_Told(node.host, figures, samples.get(figures.code, none)) for figures in found]


def _samples(node: Node, found: Sequence[Figures], hours: int) -> list[Sample]:
    if not found:
        return []
    return query_log.rows(
        node,
        SQL_SAMPLES,
        Sample,
        seconds=3600 * hours + query_log.SLACK_SECONDS,
        times=tuple(sorted({one.last_at for one in found})),
        codes=tuple(one.code for one in found),
    )


def _row(told: Sequence[_Told], show_literals: bool) -> FailedQueries:
    figures = [one.figures for one in told]
    latest = max(told, key=lambda one: one.figures.last_at)
    code, sample = latest.figures.code, latest.sample
    users = sorted({user for one in figures for user in one.some_users})
    return FailedQueries(
        code=code,
        name=sample.name or NAMES.get(code, f"CODE_{code}"),
        count=sum(one.failures for one in figures),
        users=tuple(users[:MOST_USERS]),
        first_seen=min(one.first_at for one in figures),
        last_seen=latest.figures.last_at,
        sample_message=_message(sample, show_literals),
        sample_query=sample.text if show_literals else literals.strip(sample.text),
        sample_query_id=sample.query_id,
        host=latest.host,
    )


def _message(sample: Sample, show_literals: bool) -> str:
    if show_literals:
        return literals.plain_message(sample.message)
    return literals.stripped_message(sample.message, sample.text)

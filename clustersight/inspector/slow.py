"""The slowest queries of a range, grouped by what is left of a text without its values: system.query_log.

In two steps, which is eight times faster than one and gives the same: figures of every group first, and
then the texts of those that are shown (clickhouse-facts.md, 7). Only queries that ended well: the time
that others took until they failed says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clustersight.inspector import query_log
from clustersight.inspector.answers import Found
from clustersight.inspector.nodes import TIMEOUT_SECONDS, Deadline, Node, Sessions, ask_all
from clustersight.sql_text import literals

Sort = Literal["p95", "total", "count", "memory", "read_bytes"]

WHERE = f"""type = 2 AND {query_log.USERS} AND (%(user)s = '' OR user = %(user)s)
    AND (%(kind)s = '' OR lower({query_log.KIND}) = lower(%(kind)s))"""
SQL = f"""
SELECT
    toString({query_log.HASH}) AS hash,
    count() AS runs,
    quantilesTDigest(0.5, 0.95, 0.99)(query_duration_ms) AS quantiles_ms,
    max(query_duration_ms) AS slowest_ms,
    sum(query_duration_ms) AS all_ms,
    sum(read_rows) AS rows_read,
    sum(read_bytes) AS bytes_read,
    max(memory_usage) AS most_memory,
    sum(result_rows) AS rows_returned,
    toUnixTimestamp(max(event_time)) AS last_seen,
    toUnixTimestamp(argMax(event_time, query_duration_ms)) AS slowest_at
FROM system.query_log
WHERE {WHERE} {{only}}
GROUP BY hash
ORDER BY {{order}} DESC, hash
LIMIT %(most)s
"""  # noqa: S608 - put together from constants, values are bound
ONLY = f"AND toString({query_log.HASH}) IN %(hashes)s"
SQL_SAMPLES = f"""
SELECT
    toString({query_log.HASH}) AS hash,
    {query_log.TEXT} AS text,
    {query_log.KIND} AS statement_kind,
    user,
    {{{{tables ? tables : emptyArrayString()}}}} AS table_names,
    query_id
FROM system.query_log
WHERE {WHERE} AND event_time IN %(times)s {ONLY}
ORDER BY query_duration_ms DESC, query_id
LIMIT 1 BY hash
LIMIT %(most)s
"""  # noqa: S608 - put together from constants, values are bound
# By what to sort: the figure in SQL. The quantile is of one node: see Figures.joined.
ORDER: Mapping[str, str] = {
    "p95": "quantiles_ms[2]",
    "total": "all_ms",
    "count": "runs",
    "memory": "most_memory",
    "read_bytes": "bytes_read",
}
# What each of several nodes tells: a group below that on every node is not looked for.
MOST_GROUPS = 1000
QUANTILES = "max over nodes"


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """A group of queries that differ only in their values. Times in milliseconds.

    `read_rows`, `read_bytes`, `result_rows` and `total_ms` are sums, `memory_bytes` is the highest of one
    query. `last_seen` is in epoch seconds. `query`, `kind`, `user`, `tables` and `sample_query_id` are
    those of the slowest query, which ran on `host`; a text that may not be read is empty.
    """

    query_hash: str
    query: str
    kind: str
    user: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: int
    total_ms: int
    read_rows: int
    read_bytes: int
    memory_bytes: int
    result_rows: int
    tables: tuple[str, ...]
    last_seen: int
    sample_query_id: str
    host: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A group as one node counts it."""

    hash: str
    runs: int
    quantiles_ms: Sequence[float]
    slowest_ms: int
    all_ms: int
    rows_read: int
    bytes_read: int
    most_memory: int
    rows_returned: int
    last_seen: int
    slowest_at: int

    def joined(self, other: Figures) -> Figures:
        """With another node's: sums add, quantiles cannot be added and are the highest of a node."""
        slowest = max(self, other, key=lambda one: one.slowest_ms)
        return Figures(
            hash=self.hash,
            runs=self.runs + other.runs,
            quantiles_ms=[max(pair) for pair in zip(self.quantiles_ms, other.quantiles_ms, strict=True)],
            slowest_ms=slowest.slowest_ms,
            all_ms=self.all_ms + other.all_ms,
            rows_read=self.rows_read + other.rows_read,
            bytes_read=self.bytes_read + other.bytes_read,
            most_memory=max(self.most_memory, other.most_memory),
            rows_returned=self.rows_returned + other.rows_returned,
            last_seen=max(self.last_seen, other.last_seen),
            slowest_at=slowest.slowest_at,
        )

    def rank(self, sort: str) -> tuple[float, str]:
        """Sorts the highest first, and groups that are alike by their hash."""
        figures = {
            "p95": self.quantiles_ms[1],
            "total": self.all_ms,
            "count": self.runs,
            "memory": self.most_memory,
            "read_bytes": self.bytes_read,
        }
        return -figures[sort], self.hash


@dataclass(frozen=True, slots=True)
class Sample:
    hash: str
    text: str
    statement_kind: str
    user: str
    table_names: Sequence[str]
    query_id: str


ByHost = Mapping[str, Mapping[str, Figures]]


def slow(
    sessions: Sessions,
    *,
    hours: int,
    limit: int,
    user: str | None = None,
    kind: str | None = None,
    sort: Sort = "p95",
    show_literals: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Found[SlowQuery]:
    """The groups with the highest figure, over the last `hours` of each node's own clock.

    Raises QueryLogUnavailable, TooExpensive, ClickHouseError; the latter only if no node answers.
    """
    question = _Question(sessions, Deadline.within(timeout_seconds, hours), user or "", kind or "", sort)
    most = limit if len(sessions) == 1 else max(limit, MOST_GROUPS)
    answers = ask_all(sessions, lambda node: question.figures(node, most), question.deadline)
    by_host = _completed(answers.by_host, question, 2 * limit, most)
    shown = _ranked(by_host, sort)[:limit]
    hosts = {one.hash: _slowest_host(by_host, one.hash) for one in shown}
    samples = _samples(by_host, hosts, question)
    rows = tuple(_row(one, hosts[one.hash], samples.get(one.hash), show_literals) for one in shown)
    return Found(rows, answers.nodes, answers.errors, QUANTILES)


@dataclass(frozen=True, slots=True)
class _Question:
    sessions: Sessions
    deadline: Deadline
    user: str
    kind: str
    sort: str

    @property
    def hours(self) -> int:
        return self.deadline.hours or 0

    def figures(self, node: Node, most: int, hashes: Iterable[str] = ()) -> dict[str, Figures]:
        """The highest groups of a node, or those with these hashes."""
        query_log.check_range(node, self.hours)
        only = tuple(hashes)
        sql = SQL.replace("{only}", ONLY if only else "").replace("{order}", ORDER[self.sort])
        values: dict[str, Any] = {"most": most} | ({"hashes": only} if only else {})
        found = query_log.rows(
            node, sql, Figures, seconds=3600 * self.hours, user=self.user, kind=self.kind, **values
        )
        return {figures.hash: figures for figures in found}

    def samples(self, node: Node, groups: Sequence[Figures]) -> list[Sample]:
        """The slowest query of each group of a node."""
        return query_log.rows(
            node,
            SQL_SAMPLES,
            Sample,
            seconds=3600 * self.hours + query_log.SLACK_SECONDS,
            times=tuple(sorted({one.slowest_at for one in groups})),
            hashes=tuple(one.hash for one in groups),
            most=len(groups),
            user=self.user,
            kind=self.kind,
        )


def _ranked(by_host: ByHost, sort: str) -> list[Figures]:
    """The groups of all nodes, the highest first."""
    groups: dict[str, Figures] = {}
    for figures in by_host.values():
        for key, one in figures.items():
            groups[key] = groups[key].joined(one) if key in groups else one
    return sorted(groups.values(), key=lambda one: one.rank(sort))


def _completed(by_host: ByHost, question: _Question, wanted: int, most: int) -> ByHost:
    """With the figures of nodes that have more groups than they told: a sum must be of all nodes."""
    if len(by_host) == 1:
        return by_host
    hashes = [one.hash for one in _ranked(by_host, question.sort)[:wanted]]
    untold = {
        host: [key for key in hashes if key not in figures]
        for host, figures in by_host.items()
        if len(figures) >= most
    }
    asked = {host: question.sessions[host] for host, missing in untold.items() if missing}
    if not asked:
        return by_host
    more = ask_all(
        asked,
        lambda node: question.figures(node, wanted, untold[node.host]),
        question.deadline,
        strict=True,
    ).by_host
    return {host: {**figures, **more.get(host, {})} for host, figures in by_host.items()}


def _slowest_host(by_host: ByHost, key: str) -> str:
    having = [host for host, figures in by_host.items() if key in figures]
    return max(having, key=lambda host: by_host[host][key].slowest_ms)


def _samples(by_host: ByHost, hosts: Mapping[str, str], question: _Question) -> dict[str, Sample]:
    """The slowest query of each group, from the node on which it ran."""
    asked = {host: question.sessions[host] for host in set(hosts.values())}
    if not asked:
        return {}

    def ask(node: Node) -> list[Sample]:
        keys = [key for key, host in hosts.items() if host == node.host]
        return question.samples(node, [by_host[node.host][key] for key in keys])

    answers = ask_all(asked, ask, question.deadline, strict=True)
    return {sample.hash: sample for samples in answers.by_host.values() for sample in samples}


# A row of the log may be gone between the two steps: its figures are still true.
_NO_SAMPLE = Sample("", "", "", "", (), "")


def _row(one: Figures, host: str, found: Sample | None, show_literals: bool) -> SlowQuery:
    sample = found or _NO_SAMPLE
    p50, p95, p99 = (round(float(value), 3) for value in one.quantiles_ms)
    return SlowQuery(
        query_hash=one.hash,
        query=sample.text if show_literals else literals.strip(sample.text),
        kind=sample.statement_kind,
        user=sample.user,
        count=one.runs,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        max_ms=one.slowest_ms,
        total_ms=one.all_ms,
        read_rows=one.rows_read,
        read_bytes=one.bytes_read,
        memory_bytes=one.most_memory,
        result_rows=one.rows_returned,
        tables=tuple(sample.table_names),
        last_seen=one.last_seen,
        sample_query_id=sample.query_id,
        host=host,
    )

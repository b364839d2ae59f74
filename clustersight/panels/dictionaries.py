"""Dictionaries that do not load, or do not update: system.dictionaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from clustersight.clickhouse.errors import AccessDenied
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.local_tables import restricted
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.times import iso

NAME = "dictionaries"
Name = tuple[str, str]

# Updates are looked for every 5 s and take their time: a lifetime of a second is no promise of three.
LATE = {"lifetimes": 3, "slack_seconds": 60}
# 18.16 has neither database nor status. The time of the last update moves only when data were loaded: of a
# cache it never does, and a file or a MySQL table is not loaded again while it has not changed; nor are
# regular expressions in YAML, and nothing at all.
SQL = """
SELECT
    {{database ? dictionaries.database : ''}} AS database,
    name AS dictionary,
    {{status ? toString(dictionaries.status) : multiIf(dictionaries.last_exception != '', 'FAILED',
        toUnixTimestamp(creation_time) > 0, 'LOADED', 'NOT_LOADED')}} AS status,
    toInt64(dictionaries.last_exception != '' OR status IN ('FAILED', 'FAILED_AND_RELOADING')) AS failing,
    {{last_successful_update_time ? toInt64(toUnixTimestamp(last_successful_update_time)) : toInt64(0)}}
        AS updated_at,
    greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - updated_at) AS age,
    {{lifetime_max ? toInt64(dictionaries.lifetime_max) : toInt64(0)}} AS lifetime_seconds,
    toInt64(updated_at > 0 AND lifetime_seconds > 0
        AND age > %(lifetimes)s * lifetime_seconds + %(slack_seconds)s
        AND (status = 'LOADED_AND_RELOADING' OR (status = 'LOADED' AND type NOT LIKE '%%Cache%%'
            AND NOT match(source, '^(File|MySQL|YAMLRegExpTree|Null)')))) AS stale,
    {{error_count ? toInt64(error_count) : toInt64(0)}} AS errors,
    toInt64(bytes_allocated) AS bytes,
    substring(dictionaries.last_exception, 1, 300) AS exception
FROM system.dictionaries
ORDER BY failing DESC, stale DESC, status = 'NOT_LOADED' DESC, database, dictionary
LIMIT 10000
"""
# Asked for those that look stale: with such a query of its own a dictionary is loaded only after a change.
SQL_CONDITIONAL = """
SELECT database, name AS dictionary
FROM system.tables
WHERE engine = 'Dictionary' AND database IN %(databases)s AND name IN %(names)s
    AND positionCaseInsensitive(create_table_query, 'invalidate_query') > 0
ORDER BY database, dictionary
LIMIT 10000
"""
# Without SHOW DICTIONARIES there are no rows and no error; the tables of dictionaries are seen all the same.
SQL_TABLES = restricted("""
SELECT count() AS dictionaries
FROM system.tables
WHERE engine = 'Dictionary' AND {local}
ORDER BY dictionaries
LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Row:
    """A dictionary; the database of one of a configuration file is ''. `updated_at` is 0 before it is loaded.

    `failing` stays 1 after a restart of the server until it is loaded; `exception` is then that of before.
    """

    database: str
    dictionary: str
    status: str
    failing: int
    updated_at: int
    age: int
    lifetime_seconds: int
    stale: int
    errors: int
    bytes: int
    exception: str

    @property
    def name(self) -> Name:
        return self.database, self.dictionary

    @property
    def is_loaded(self) -> bool:
        return self.status in ("LOADED", "LOADED_AND_RELOADING")


_LABELS = ("database", "dictionary")
FAILING = Metric(
    "clickhouse_dictionary_failing",
    "1 if the last load or update of the dictionary failed, also after a restart of the server, until it is "
    "loaded.",
    _LABELS,
    key="dictionaries.failing",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
STALE = Metric(
    "clickhouse_dictionary_stale",
    "1 if a loaded dictionary was not updated for more than three times its longest lifetime and a minute, "
    "and is of a kind that is loaded anew each time; 0 where that cannot be told.",
    _LABELS,
    key="dictionaries.stale",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)
AGE = Metric(
    "clickhouse_dictionary_update_age_seconds",
    "Time since data of the dictionary were last loaded; absent while it is not loaded, and on 18.16.",
    _LABELS,
    key="dictionaries.age_seconds",
    unit=Unit.SECONDS,
)
BYTES = Metric(
    "clickhouse_dictionary_bytes",
    "Memory of the dictionary; absent while it is not loaded.",
    _LABELS,
    key="dictionaries.bytes",
    unit=Unit.BYTES,
)
ALL = Metric("clickhouse_dictionaries", "Dictionaries of the node.", key="dictionaries.all", unit=Unit.COUNT)
ALL_FAILING = Metric(
    "clickhouse_dictionaries_failing",
    "Failing dictionaries of the node.",
    key="dictionaries.all_failing",
    unit=Unit.COUNT,
    history=True,
)
ALL_STALE = Metric(
    "clickhouse_dictionaries_stale",
    "Stale dictionaries of the node.",
    key="dictionaries.all_stale",
    unit=Unit.COUNT,
)
ALL_BYTES = Metric(
    "clickhouse_dictionaries_bytes",
    "Memory of all dictionaries of the node.",
    key="dictionaries.all_bytes",
    unit=Unit.BYTES,
    history=True,
)


def probe(context: Context) -> Rows:
    rows = without_values(context.rows(SQL, Row, **LATE), "exception")
    if not rows:
        _check_grant(context)
    return _remembered(context, _without_unchanged(context, rows))


def _check_grant(context: Context) -> None:
    if any(count for (count,) in context.query(SQL_TABLES).rows):
        raise AccessDenied(f"rows are hidden: GRANT SHOW DICTIONARIES ON *.* TO {context.username}")


def _without_unchanged(context: Context, rows: list[Row]) -> list[Row]:
    """Not stale: those that may rightly be old. Of a configuration file's nobody can tell."""
    late = {row.name for row in rows if row.stale and row.status == "LOADED"}
    fine = {name for name in late if not name[0]} | _conditional(context, late)
    return [replace(row, stale=0) if row.name in fine else row for row in rows]


def _conditional(context: Context, late: set[Name]) -> set[Name]:
    if not late:
        return set()
    databases, names = (tuple(sorted(set(parts))) for parts in zip(*late, strict=True))
    found = context.query(SQL_CONDITIONAL, databases=databases, names=names).rows
    return {(database, name) for database, name in found}


def _remembered(context: Context, rows: list[Row]) -> list[Row]:
    """One that failed fails until it is loaded: a restart leaves it NOT_LOADED, without an exception."""
    before: dict[Name, str] = context.memory.get("failing", {})
    known = [_as_before(row, before) for row in rows]
    context.memory["failing"] = {row.name: row.exception for row in known if row.failing}
    return sorted(known, key=lambda row: (-row.failing, -row.stale))


def _as_before(row: Row, before: dict[Name, str]) -> Row:
    if row.failing or row.is_loaded or row.name not in before:
        return row
    return replace(row, failing=1, exception=before[row.name])


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(ALL, (), len(rows))
    yield Sample(ALL_FAILING, (), sum(row.failing for row in rows))
    yield Sample(ALL_STALE, (), sum(row.stale for row in rows))
    yield Sample(ALL_BYTES, (), sum(row.bytes for row in rows))
    for row in rows:
        yield Sample(FAILING, row.name, row.failing)
        yield Sample(STALE, row.name, row.stale)
        if row.is_loaded:
            yield Sample(BYTES, row.name, row.bytes)
        if row.updated_at:
            yield Sample(AGE, row.name, row.age)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [
        {
            "database": row.database,
            "dictionary": row.dictionary,
            "status": row.status,
            "is_failing": bool(row.failing),
            "is_stale": bool(row.stale),
            "errors": row.errors,
            "last_update_at": iso(row.updated_at or None),
            "age_seconds": row.age if row.updated_at else None,
            "lifetime_seconds": row.lifetime_seconds,
            "bytes": row.bytes,
            "last_exception": row.exception,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Dictionaries, and which of them do not load or update, from system.dictionaries.",
    needs=("dictionaries",),
    reads=("tables", "databases"),
    probe=probe,
    samples=samples,
    metrics=(FAILING, STALE, AGE, BYTES, ALL, ALL_FAILING, ALL_STALE, ALL_BYTES),
    tier=Tier.TWO,
    hidden_without_show=True,
    lasting_memory=True,
    payload=payload,
)

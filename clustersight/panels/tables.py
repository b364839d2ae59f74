"""Tables that failed to load when the server started: system.asynchronous_loader (24.x+).

Since 24.x a server starts without them (`async_load_databases`): they are in no other system table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels.panel import Context, Panel, Rows, Tier
from clustersight.sql_text.literals import masked

NAME = "tables"

# Thousands fail together when a disk is gone: the number is of all of them.
SQL = """
SELECT
    substring(job, 1, 500) AS job,
    substring(ifNull(exception, ''), 1, 1500) AS exception,
    count() OVER () AS failed
FROM system.asynchronous_loader
WHERE status = 'FAILED'
ORDER BY job
LIMIT 200
"""
SQL_DATABASES = "SELECT name FROM system.databases ORDER BY name LIMIT 10000"
_JOB = re.compile(r"(?:load|startup) table (.+)", re.DOTALL)
_DATABASE_JOB = re.compile(r"startup \w+ database (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that failed; `failed` is the number of all such jobs."""

    job: str
    exception: str
    failed: int


@dataclass(frozen=True, slots=True)
class Row:
    """A job that failed. `database` and `table` are None where its name does not surely say them."""

    job: str
    database: str | None
    table: str | None
    exception: str
    failed: int


LOAD_FAILED = Metric(
    "clickhouse_tables_load_failed",
    "Tables and databases that failed to load: they are missing until that is repaired.",
    key="tables.load_failed",
    unit=Unit.COUNT,
    alarming=1,
    history=True,
)
TABLE_LOAD_FAILED = Metric(
    "clickhouse_table_load_failed",
    "1 for a table that failed to load; only where the name of the job surely says which.",
    ("database", "table"),
    key="tables.table_load_failed",
    unit=Unit.BOOL,
    alarming=1,
    history=True,
)


def probe(context: Context) -> Rows:
    found = context.rows(SQL, Failed)
    places = _places(context, [one.job for one in found])
    return [
        Row(one.job, *places[one.job], masked(_cause(one)), one.failed)
        for one in sorted(found, key=lambda one: None in places[one.job])
    ]


def _cause(one: Failed) -> str:
    """The exception without what is around it: the job's name, and the whole definition of the table."""
    _, told, cause = one.exception.partition(f"Load job '{one.job}' failed: ")
    return (cause if told else one.exception).partition(": Cannot attach table ")[0]


def _places(context: Context, jobs: Iterable[str]) -> dict[str, tuple[str | None, str | None]]:
    """Database and table of each job. A name with several dots is told by the databases that there are."""
    places = {job: _place(job, ()) for job in jobs}
    if any(_JOB.fullmatch(job) and place == (None, None) for job, place in places.items()):
        databases = [name for (name,) in context.query(SQL_DATABASES).rows]
        places = {job: _place(job, databases) for job in places}
    return places


def _place(job: str, databases: Iterable[str]) -> tuple[str | None, str | None]:
    """The job's name is not quoted: with one dot, or one database that fits, there is one way to read it."""
    of_database = _DATABASE_JOB.fullmatch(job)
    if of_database:
        return of_database[1], None
    found = _JOB.fullmatch(job)
    if not found:
        return None, None
    name = found[1]
    if name.count(".") == 1:
        database, _, table = name.partition(".")
        return database, table
    fitting = [database for database in databases if name.startswith(f"{database}.")]
    return (fitting[0], name[len(fitting[0]) + 1 :]) if len(fitting) == 1 else (None, None)


def samples(rows: Rows) -> Iterator[Sample]:
    yield Sample(LOAD_FAILED, (), rows[0].failed if rows else 0)
    for database, table in dict.fromkeys((row.database, row.table) for row in rows):
        if database is not None and table is not None:
            yield Sample(TABLE_LOAD_FAILED, (database, table), 1)


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [{name: value for name, value in asdict(row).items() if name != "failed"} for row in rows]


PANEL = Panel(
    name=NAME,
    about="Tables that failed to load, from system.asynchronous_loader.",
    needs=("asynchronous_loader",),
    reads=("databases",),
    probe=probe,
    samples=samples,
    metrics=(LOAD_FAILED, TABLE_LOAD_FAILED),
    tier=Tier.TWO,
    payload=payload,
)

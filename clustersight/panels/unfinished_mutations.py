"""The unfinished mutations one by one: the evidence of the panel mutations. Source: system.mutations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from clustersight.panels.mutation_fix import fix_command
from clustersight.panels.mutation_progress import Progress, follow
from clustersight.panels.panel import Context
from clustersight.sql_text.literals import masked
from clustersight.times import iso

Name = tuple[str, str]

# The evidence. One failing mutation holds up all that come after it, so a few of each table tell it all.
# Commands hold customers' values: strings in them are left out.
SQL = r"""
SELECT
    database, table, mutation_id,
    replaceRegexpAll(substring(command, 1, 1000), '\'([^\'\\\\]|\\\\.)*(\'|$)', '\'?\'') AS command,
    toInt64(toUnixTimestamp(create_time)) AS created,
    greatest(0, toInt64(toUnixTimestamp(now())) - created) AS age_seconds,
    toInt64(parts_to_do) AS parts_to_do,
    {{latest_fail_reason ? toNullable(latest_fail_reason != '') : CAST(NULL AS Nullable(UInt8))}}
        AS is_failing,
    {{latest_failed_part ? substring(latest_failed_part, 1, 300) : ''}} AS latest_failed_part,
    {{latest_fail_reason ? substring(latest_fail_reason, 1, 500) : ''}} AS latest_fail_reason
FROM system.mutations
WHERE is_done = 0
ORDER BY is_failing DESC, created, database, table, mutation_id
LIMIT 20 BY database, table
LIMIT 500
"""
# A mutation of a big table takes its time: one is stuck if it is old and did not move for a while.
STUCK_AGE_SECONDS = 1800
STUCK_STILL_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Unfinished:
    database: str
    table: str
    mutation_id: str
    command: str
    created: int
    age_seconds: int
    parts_to_do: int
    is_failing: int | None
    latest_failed_part: str
    latest_fail_reason: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """One unfinished mutation. `parts_done_pct` is of the parts that were to do when it was first seen.

    `table` is the view's name where its inner table is meant, `real_table` what KILL MUTATION must name.
    """

    database: str
    table: str
    mutation_id: str
    command: str
    created_at: str
    age_seconds: int
    parts_to_do: int
    parts_done_pct: float | None
    is_stuck: bool
    is_failing: bool | None
    latest_fail_reason: str
    latest_failed_part: str
    fix_command: str | None
    real_table: str


def read(context: Context, shown: Mapping[Name, str]) -> dict[Name, list[Mutation]]:
    """By (database, table), the worst first: failing, then stuck, then the oldest. Raises ClickHouseError."""
    unfinished = context.rows(SQL, Unfinished)
    progress = follow(context, {(m.database, m.table, m.mutation_id): m.parts_to_do for m in unfinished})
    of_table: dict[Name, list[Mutation]] = defaultdict(list)
    for found in unfinished:
        place = (found.database, found.table)
        name = shown.get(place, found.table)
        of_table[place].append(_mutation(found, name, progress[(*place, found.mutation_id)]))
    for mutations in of_table.values():
        mutations.sort(key=lambda m: (not m.is_failing, not m.is_stuck))
    return of_table


def _mutation(found: Unfinished, shown: str, progress: Progress) -> Mutation:
    failing = None if found.is_failing is None else bool(found.is_failing)
    still = progress.still_seconds >= STUCK_STILL_SECONDS
    stuck = still and found.age_seconds > STUCK_AGE_SECONDS and not failing
    return Mutation(
        database=found.database,
        table=shown,
        mutation_id=found.mutation_id,
        command=found.command,
        created_at=str(iso(found.created)),
        age_seconds=found.age_seconds,
        parts_to_do=found.parts_to_do,
        parts_done_pct=progress.done_pct,
        is_stuck=stuck,
        is_failing=failing,
        latest_fail_reason=masked(found.latest_fail_reason),
        latest_failed_part=found.latest_failed_part,
        # The real name of the table: KILL MUTATION says nothing where it matches nothing.
        fix_command=fix_command(
            (found.database, found.table, found.mutation_id),
            found.command,
            failing=failing,
            stuck=stuck,
        ),
        real_table=found.table,
    )

"""The SQL that ends a mutation, with the warning that belongs to it (pure)."""

from __future__ import annotations

import re

from clustersight.clickhouse.sql import literal

# These change the columns of a table: the table's metadata has changed already, the parts must follow.
_OF_COLUMNS = re.compile(r"^\W*(MODIFY|DROP|RENAME|READ)\s+COLUMN\b", re.IGNORECASE)
_FAILING = "-- Repair the cause first: it is tried again by itself."
_STUCK = "-- Look first what holds it up: free disk, the merge pool, a long merge in system.merges."
_WARNING = "-- Parts that are done stay changed, the others keep the old data. Append TEST to see the match."


def fix_command(
    identity: tuple[str, str, str], command: str, *, failing: bool | None, stuck: bool
) -> str | None:
    """None where nothing needs to be done, or where killing would harm or is not possible.

    `failing` is None on servers before 19.1, which have no KILL MUTATION either.
    """
    if failing is None or not (failing or stuck) or _OF_COLUMNS.match(command):
        return None
    database, table, mutation_id = map(literal, identity)
    kill = f"KILL MUTATION WHERE database = {database} AND table = {table} AND mutation_id = {mutation_id}"
    return f"{_FAILING if failing else _STUCK}\n{_WARNING}\n{kill}"

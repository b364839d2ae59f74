"""system.replicas without the columns that ask Keeper, read once a visit for all panels that want it."""

from __future__ import annotations

from dataclasses import dataclass

from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context

# While a replica is read-only or without session its delay grows although nothing lags, and an unknown
# queue gives the Unix time itself (ClickHouse#53479): ten years are no lag.
SQL = """
SELECT
    database, table, replica_name, is_readonly, is_session_expired,
    queue_size, inserts_in_queue, merges_in_queue, part_mutations_in_queue, parts_to_check,
    absolute_delay,
    is_readonly OR is_session_expired OR absolute_delay > 315360000 AS lag_unknown,
    {{readonly_start_time ? toInt64(ifNull(toUnixTimestamp(readonly_start_time), 0)) : toInt64(0)}}
        AS readonly_since,
    if(queue_size = 0 OR toUnixTimestamp(queue_oldest_time) = 0, toInt64(0),
        greatest(toInt64(0), toInt64(toUnixTimestamp(now())) - toInt64(toUnixTimestamp(queue_oldest_time))))
        AS oldest_task_seconds,
    {{last_queue_update_exception ? substring(last_queue_update_exception, 1, 300) : ''}}
        AS queue_update_exception
FROM system.replicas
WHERE NOT match(table, '^(\\\\.tmp|_tmp_replace_|_temporary_and_external_tables)')
ORDER BY is_session_expired DESC, is_readonly DESC, lag_unknown DESC, absolute_delay DESC, queue_size DESC,
    database, table
LIMIT 10000
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """What system.replicas says. `readonly_since` is in Unix seconds, 0 where it is not known."""

    database: str
    table: str
    replica_name: str
    is_readonly: int
    is_session_expired: int
    queue_size: int
    inserts_in_queue: int
    merges_in_queue: int
    part_mutations_in_queue: int
    parts_to_check: int
    absolute_delay: int
    lag_unknown: int
    readonly_since: int
    oldest_task_seconds: int
    queue_update_exception: str


def read(context: Context) -> list[Replica]:
    """Every replica of the node, the worst first. Raises ClickHouseError."""
    return without_values(context.rows(SQL, Replica), "queue_update_exception")

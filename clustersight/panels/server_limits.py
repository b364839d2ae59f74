"""The limits that a server says of itself: system.server_settings (23.x+)."""

from __future__ import annotations

from dataclasses import dataclass

from clustersight.clickhouse.errors import AccessDenied, Unsupported
from clustersight.panels.panel import Context

# The value is the effective figure; 0 means no limit.
SQL = """
SELECT name, toFloat64OrZero(value) AS value FROM system.server_settings
WHERE name IN ('max_server_memory_usage', 'max_concurrent_queries', 'max_connections') ORDER BY name LIMIT 10
"""
# Limits change with a restart or a reload: once an hour is enough.
KEPT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    value: float


def read(context: Context) -> dict[str, float]:
    """The limits that are set, by name; none where the table is missing or may not be read."""
    memory = context.memory
    if "limits" not in memory or context.monotonic - memory["limits_at"] > KEPT_SECONDS:
        memory["limits"], memory["limits_at"] = _read(context), context.monotonic
    found: dict[str, float] = memory["limits"]
    return found


def _read(context: Context) -> dict[str, float]:
    if not context.has("server_settings"):
        return {}
    try:
        return {limit.name: limit.value for limit in context.rows(SQL, Limit) if limit.value > 0}
    except (AccessDenied, Unsupported):
        return {}  # what is measured against a limit is absent then; everything else of the panel is known

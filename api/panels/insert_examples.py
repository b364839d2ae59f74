"""One answer of each panel on how data comes in, and on tables that are missing, for the document."""

from __future__ import annotations

from typing import Any

HOST = "ch1.internal"
AT = "2026-03-22T14:00:00Z"
_TABLE = {"database": "shop", "table": "orders"}
_LOAD = {
    "host": HOST,
    "job": "load table shop.orders",
    **_TABLE,
    "exception": "Code: 231. Suspiciously many (12 parts, 4.00 MiB in total) broken parts to remove",
}
_PART_LOG = {
    "host": HOST,
    **_TABLE,
    "created_per_min": 180.0,
    "small_per_min": 176.0,
    "fetched_per_min": 0.0,
    "merged_per_min": 150.2,
    "growth_per_min": 29.8,
    "rows_per_part": 42.5,
}
_ASYNC = {
    "host": HOST,
    "inserts": 48213,
    "bytes": 91240000,
    "failed": 3,
    "pending": 12,
    "oldest_pending_seconds": 1,
    "waiting": [{**_TABLE, "inserts": 12, "bytes": 24100, "oldest_seconds": 1}],
    "log_note": None,
    "tables": [
        {
            **_TABLE,
            "flushed": 410,
            "parsing_errors": 3,
            "flush_errors": 0,
            "last_failed_at": AT,
            "last_exception": "Code: 27. Cannot parse input …",
        }
    ],
}

BY_PANEL: dict[str, Any] = {"tables": [_LOAD], "part-log": [_PART_LOG], "async-inserts": [_ASYNC]}

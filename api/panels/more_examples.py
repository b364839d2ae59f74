"""One answer of each panel that goes beyond the published reference, for the document."""

from __future__ import annotations

from typing import Any

from api.panels.examples import AT, HOST

_TABLE = {"host": HOST, "database": "shop", "table": "orders"}
_DISTRIBUTION = {
    **_TABLE,
    "targets": 2,
    "pending_files": 12,
    "pending_bytes": 48213,
    "broken_files": 0,
    "is_blocked": False,
    "errors": 3,
    "last_exception_at": AT,
    "last_exception": "Code: 279. All connection tries failed.",
}
_DICTIONARY = {
    "host": HOST,
    "database": "shop",
    "dictionary": "prices",
    "status": "FAILED",
    "is_failing": True,
    "is_stale": False,
    "errors": 4,
    "last_update_at": None,
    "age_seconds": None,
    "lifetime_seconds": 300,
    "bytes": 0,
    "last_exception": "Code: 60. Unknown table expression identifier …",
}
_VIEW = {
    "host": HOST,
    "database": "shop",
    "view": "daily_sales",
    "status": "Scheduled",
    "is_failing": False,
    "last_success_at": AT,
    "age_seconds": 240,
    "next_refresh_at": "2026-03-22T15:00:00Z",
    "retries": 0,
    "exception": "",
}
_KAFKA = {
    **_TABLE,
    "consumers": 2,
    "failing_consumers": 1,
    "messages": 120400,
    "last_poll_at": AT,
    "last_commit_at": AT,
    "last_exception_at": AT,
    "last_exception": "[thrd:kafka1:9092/bootstrap]: 1/1 brokers are down",
}

BY_PANEL: dict[str, Any] = {
    "distribution": [_DISTRIBUTION],
    "dictionaries": [_DICTIONARY],
    "views": [_VIEW],
    "kafka": [_KAFKA],
}

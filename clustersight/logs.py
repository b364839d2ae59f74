"""Structured logs: one line an event, as text (logfmt) or JSON; no secret and no line break gets in."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

# Libraries that report each failed connection with a traceback; we say the same in one line.
_NOISY = ("clickhouse_driver", "clickhouse_connect", "urllib3", "schedule")


def configure(level: str = "info", style: str = "text") -> None:
    """Send all logs to standard error. `style` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def event(logger: logging.Logger, level: int, what: str, **fields: Any) -> None:
    """Log one event with its fields: `event(log, INFO, "scheduler started", interval_sec=30)`."""
    logger.log(level, what, extra={"fields": fields})


def _parts(record: logging.LogRecord) -> dict[str, Any]:
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    parts = {
        "time": when.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": record.getMessage(),
        **getattr(record, "fields", {}),
    }
    if record.exc_info:
        parts["exception"] = logging.Formatter().formatException(record.exc_info)
    return parts


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_parts(record), default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = _parts(record)
        head = f"{parts.pop('time')} {parts.pop('level').upper():<7} {parts.pop('logger')}: "
        event_text = json.dumps(str(parts.pop("event")), ensure_ascii=False)[1:-1]
        return head + " ".join([event_text, *(f"{key}={_value(value)}" for key, value in parts.items())])


def _value(value: Any) -> str:
    text = str(value)
    if text and all(c.isprintable() and c not in ' "=' for c in text):
        return text
    return json.dumps(text, ensure_ascii=False)

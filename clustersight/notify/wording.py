"""What a notice says in words, for every kind of channel: nothing here is escaped or cut for a receiver."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from clustersight.notify.notice import Message, Notice, NoticeKind
from clustersight.settings.notify import Severity

# What goes without saying when an alert is over; other reasons are told.
RECOVERED = "recovered"
_REASONS = {
    "node_removed": "the node was removed",
    "cluster_removed": "the cluster was removed",
    "rule_removed": "the rule was removed or disabled",
}
_SPANS = (("d", 86_400), ("h", 3600), ("min", 60))
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_REMARKS = {
    NoticeKind.REPEAT: " (still firing)",
    NoticeKind.RISE: " (severity rose)",
    NoticeKind.ESCALATED: " (escalated)",
}
_TEST = "This is a test message from ClusterSight: the channel works, and nothing is wrong."
# Enough digits to tell 85.04 % from its threshold of 85 %, tried in this order.
_DIGITS = (4, 6, 9, 17)


def title(notice: Notice) -> str:
    """`[CRITICAL] MutationFailing`."""
    if notice.kind is NoticeKind.TEST:
        return "[TEST] ClusterSight"
    remark = " (fired and resolved)" if notice.untold else _REMARKS.get(notice.kind, "")
    return f"[{state(notice)}] {notice.rule_name}{remark}"


def state(notice: Notice) -> str:
    """The word that a reader looks for first."""
    return "RESOLVED" if is_over(notice) else notice.severity.value.upper()


def is_over(notice: Notice) -> bool:
    """Whether the alert has resolved; an untold one has, whatever its kind."""
    return notice.kind is NoticeKind.RESOLVED or notice.untold


def is_critical(notice: Notice) -> bool:
    """Whether it is critical now."""
    return notice.severity is Severity.CRITICAL and not is_over(notice)


def line(notice: Notice) -> str:
    """All of a notice on one line, for notifications and plain text."""
    where = place(notice)
    return (
        title(notice) + (f" on {where}" if where else "") + (f": {notice.summary}" if notice.summary else "")
    )


def lines(message: Message) -> str:
    """A message as plain text."""
    return "\n".join(line(notice) for notice in message.notices)


def place(notice: Notice, cluster: str | None = None) -> str:
    """`prod/ch-1 shop.orders disk=default`: cluster (another, or none with ""), host, and the labels."""
    named = notice.cluster if cluster is None else cluster
    node = "/".join(part for part in (named, notice.host) if part)
    rest = ", ".join(f"{name}={value}" for name, value in other_labels(notice))
    return " ".join(part for part in (node, table(notice), rest) if part)


def table(notice: Notice) -> str:
    """`database.table`, and nothing where a label of the two is missing."""
    labels = notice.labels
    return f"{labels['database']}.{labels['table']}" if {"database", "table"} <= labels.keys() else ""


def other_labels(notice: Notice) -> Iterator[tuple[str, str]]:
    """The labels that are not in table()."""
    told = {"database", "table"} if table(notice) else set()
    return ((name, str(value)) for name, value in notice.labels.items() if name not in told)


# How long an alert that has just fired does so is noise.
_WORTH_TELLING_SECONDS = 60.0


def news(notice: Notice, now: float) -> str:
    """Why this is sent, with times; `now` in epoch seconds."""
    if notice.kind is NoticeKind.TEST:
        return _TEST
    if is_over(notice):
        return _ending(notice)
    lasted = now - notice.fired_at
    since = f"since {moment(notice.fired_at)}{_for(lasted) if lasted >= _WORTH_TELLING_SECONDS else ''}"
    match notice.kind:
        case NoticeKind.RISE:
            return f"Severity rose to {notice.severity.value}; firing {since}"
        case NoticeKind.REPEAT:
            return f"Still firing {since}"
        case NoticeKind.ESCALATED:
            return f"Escalated by hand; firing {since}"
        case _:
            return f"Firing {since}"


def brief(notice: Notice) -> str:
    """When, in a few words."""
    if not is_over(notice):
        return f"since {moment(notice.fired_at)}"
    lasted = (notice.resolved_at or 0.0) - notice.fired_at
    return f"{'fired and ' if notice.untold else ''}resolved" + (
        f" after {span(lasted)}" if lasted > 0 else ""
    )


def _ending(notice: Notice) -> str:
    resolved = moment(notice.resolved_at)
    reason = notice.resolve_reason
    why = f": {_REASONS.get(reason, reason)}" if reason and reason != RECOVERED else ""
    lasted = _for((notice.resolved_at or 0.0) - notice.fired_at)
    if notice.untold:
        return (
            f"Fired at {moment(notice.fired_at)} and resolved at {resolved}{lasted}{why};"
            " this is the first message about it"
        )
    return f"Resolved at {resolved}{lasted}{why}; fired at {moment(notice.fired_at)}"


def _for(seconds: float) -> str:
    """` (2 h 5 min)`; nothing for times that cannot be."""
    return f" ({span(seconds)})" if seconds > 0 else ""


def measured(notice: Notice) -> str:
    """`87.3 % > 85 %`; a resolved alert's last value beside the threshold that it was held against."""
    value, threshold = notice.value, notice.threshold
    if value is None:
        return ""
    if threshold is None or notice.unit == "0 or 1":
        return amount(value, notice.unit)
    said, against = distinct(value, threshold, notice.unit)
    if is_over(notice):
        return f"{said} (fires at {notice.operator} {against})"
    return f"{said} {notice.operator} {against}"


def distinct(value: float, threshold: float, unit: str) -> tuple[str, str]:
    """Both with as few digits as tell them apart."""
    for digits in _DIGITS:
        pair = amount(value, unit, digits), amount(threshold, unit, digits)
        if pair[0] != pair[1] or value == threshold:
            break
    return pair


def amount(value: float, unit: str, digits: int = _DIGITS[0]) -> str:
    """A value in its unit, as one would say it."""
    if not math.isfinite(value):
        return str(value)
    if unit == "0 or 1":
        return {0.0: "no (0)", 1.0: "yes (1)"}.get(value, number(value, digits))
    way = _AMOUNTS.get(unit)
    if way is not None:
        return way(value, digits)
    return number(value, digits) + (f" {unit}" if unit not in {"", "count"} else "")


def number(value: float, digits: int = _DIGITS[0]) -> str:
    """`1,234,567` and `87.3`: whole numbers in full, others with some digits."""
    if float(value).is_integer() and abs(value) < 1e15:  # beyond, a float is not exact to the unit
        return f"{int(value):,}"
    before_point = len(str(int(abs(value)))) if abs(value) < 1e15 else 0
    return f"{value:,.{max(digits, before_point + 1)}g}"


def span(seconds: float, digits: int = _DIGITS[0]) -> str:
    """`2 h 5 min`, `12.5 s`; with more digits than usual it stays in seconds."""
    if abs(seconds) < 60 or digits > _DIGITS[0] or not math.isfinite(seconds):
        return f"{number(seconds, digits)} s"
    rest, parts = round(abs(seconds)), []
    for name, size in (*_SPANS, ("s", 1)):
        count, rest = divmod(rest, size)
        parts += [f"{count} {name}"] if count else []
    # The second unit is enough: nobody reads the seconds of a day.
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])


def size(value: float, digits: int = _DIGITS[0]) -> str:
    """`1.5 GiB`."""
    power = int(math.log(abs(value), 1024)) if abs(value) >= 1 else 0
    power = min(power, len(_BINARY) - 1)
    return f"{number(value / 1024**power, digits)} {_BINARY[power]}"


def moment(epoch_seconds: float | None) -> str:
    """`2026-03-22 14:00:05 UTC`; channels show it as it is, since readers sit in several zones."""
    try:
        return datetime.fromtimestamp(epoch_seconds or 0.0, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def milliseconds(value: float, digits: int = _DIGITS[0]) -> str:
    """`250 ms`, and from a second on `12.5 s`."""
    return span(value / 1000, digits) if abs(value) >= 1000 else f"{number(value, digits)} ms"


_AMOUNTS: dict[str, Callable[[float, int], str]] = {"bytes": size, "seconds": span, "ms": milliseconds}

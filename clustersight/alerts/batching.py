"""Which of the rows that wait for a channel go into its next message (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from clustersight.notify.notice import Form, Notice, NoticeKind

# spec/rules.md: a backlog above this many messages becomes a digest.
MOST_MESSAGES = 20
# A group message shows as many rows; more of a rule without `group: cluster` are listed instead.
MOST_ROWS = 10
_AHEAD = (NoticeKind.ESCALATED, NoticeKind.TEST)
_FALLING = ("<", "<=")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending row. `alone`: a message that held it was refused, so it goes by itself, as plain text."""

    id: int
    notice: Notice
    alone: bool = False

    @property
    def bundle(self) -> tuple[str, str, bool]:
        """What goes together: one rule and cluster, and what fires apart from what is over."""
        return self.notice.rule_name, self.notice.cluster, self.notice.kind is NoticeKind.RESOLVED


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one message, as they stand in it."""

    form: Form
    rows: tuple[Waiting, ...]
    plain: bool = False

    @property
    def notices(self) -> tuple[Notice, ...]:
        return tuple(row.notice for row in self.rows)

    def id_for(self, channel: str) -> str:
        """The message's id on a channel, which is the same for every try."""
        rows = ",".join(str(row.id) for row in self.rows)
        return hashlib.sha256(f"{channel}:{rows}".encode()).hexdigest()[:32]


Fits = Callable[[Sequence[Notice]], int]


def next_batch(waiting: Sequence[Waiting], fits: Fits) -> Batch | None:
    """The next message of rows that are due, the oldest first; escalations and tests go ahead of all.

    `fits` says how many of some notices one digest can name.
    """
    if not waiting:
        return None
    first = next((row for row in waiting if row.notice.kind in _AHEAD), waiting[0])
    if first.alone or first.notice.kind in _AHEAD:
        return Batch(Form.SINGLE, (first,), plain=first.alone)
    together = [row for row in waiting if not row.alone and row.notice.kind not in _AHEAD]
    if len({row.bundle for row in together}) > MOST_MESSAGES and not first.notice.grouped:
        # What is grouped is one message anyway, and of 5000 rows a shorter one.
        return _digest([row for row in together if not row.notice.grouped], fits)
    return _bundle([row for row in together if row.bundle == first.bundle], fits)


def _bundle(rows: list[Waiting], fits: Fits) -> Batch:
    if len(rows) == 1:
        return Batch(Form.SINGLE, tuple(rows))
    if rows[0].notice.grouped or len(rows) <= MOST_ROWS:
        return Batch(Form.GROUP, tuple(sorted(rows, key=_worst_first)))
    return _digest(rows, fits)


def _digest(rows: list[Waiting], fits: Fits) -> Batch:
    number = max(1, fits([row.notice for row in rows]))
    return Batch(Form.DIGEST if number > 1 else Form.SINGLE, tuple(rows[:number]))


def _worst_first(row: Waiting) -> tuple[int, float]:
    notice = row.notice
    value = notice.value if notice.value is not None else 0.0
    critical = 0 if notice.severity == "critical" else 1
    return critical, value if notice.operator in _FALLING else -value


def refused(row: Waiting) -> Waiting:
    """How a row goes on whose message was not taken."""
    return replace(row, alone=True)

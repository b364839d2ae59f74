"""Many alerts in one message, a line for each, none left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from clustersight.notify import blocks, wording
from clustersight.notify.blocks import LINKS_SIZE, Block
from clustersight.notify.limits import HEADER_SIZE, MESSAGE_SIZE, SECTION_SIZE, code, room_for, safe, width
from clustersight.notify.notice import Message, Notice

# Beside the lines there are the title, the text, the links and "and 5 more".
LINES_SIZE = MESSAGE_SIZE - HEADER_SIZE - 500 - LINKS_SIZE - 100
_STATES = ("CRITICAL", "WARNING", "RESOLVED")


def fits(notices: Sequence[Notice]) -> int:
    """How many of the notices, from the first on, one message can name; at least one.

    Some 70 with ordinary names; the limit of sections is far away, since three and a half hold all lines.
    """
    return max(1, room_for((row(notice) for notice in notices), LINES_SIZE))


def worst(notices: Sequence[Notice]) -> str:
    """CRITICAL, WARNING or RESOLVED."""
    found = {wording.state(notice) for notice in notices}
    return next(state for state in _STATES if state in found)


def counts(notices: Sequence[Notice]) -> str:
    """`12 alerts (3 critical, 9 resolved)`."""
    number = Counter(wording.state(notice) for notice in notices)
    parts = ", ".join(f"{number[state]} {state.lower()}" for state in _STATES if number[state])
    return f"{len(notices)} alert{'s' if len(notices) != 1 else ''} ({parts})"


def row(notice: Notice, *, of_group: bool = False) -> str:
    """One alert on a line of some 300 at most; in a group the rule and the cluster are told above."""
    rule = "" if of_group else f" {code(notice.rule_name, 80)}"
    cluster = "" if of_group else notice.cluster
    where = wording.place(notice, cluster)
    parts = (
        f"• *{wording.state(notice)}*{rule}",
        code(where, 120) if where else "",
        safe(wording.measured(notice), 60),
        wording.brief(notice),
    )
    return " ".join(part for part in parts if part)


def body(message: Message) -> Iterator[Block]:
    """The lines in as few sections as hold them; a message of too many says so instead of being refused."""
    shown = fits(message.notices)
    yield from map(blocks.section, _sections([row(notice) for notice in message.notices[:shown]]))
    rest = len(message.notices) - shown
    links = blocks.all_links(None, message.links)
    small_print = " · ".join(part for part in (f"and {rest} more" if rest else "", links) if part)
    if small_print:
        yield blocks.context(small_print)


def _sections(rows: Sequence[str]) -> Iterator[str]:
    together: list[str] = []
    room = SECTION_SIZE
    for one in rows:
        if width(one) + 1 > room:
            yield "\n".join(together)
            together, room = [], SECTION_SIZE
        together.append(one)
        room -= width(one) + 1
    yield "\n".join(together)

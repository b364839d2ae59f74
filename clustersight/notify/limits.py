"""Slack's limits, and text that keeps them: cleaned, escaped, never cut inside of a character or entity.

Sizes are UTF-16 units, the strictest way to count. https://api.slack.com/reference/block-kit/blocks and
bolt-js#2509: a message of all blocks is refused with msg_blocks_too_long from about 13 200 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

HEADER_SIZE = 150
SECTION_SIZE = 3000
MESSAGE_SIZE = 12_000
PLAIN_SIZE = 3000

ELLIPSIS = "…"
# Control characters, line separators, what turns the direction of text around, halves of surrogate pairs.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LINE_BREAKS = re.compile("[\n\t]")
_HALF_ENTITY = re.compile("&[a-z]*\\Z")
# ClickHouse quotes names with it, Slack ends code with it: inside of `code` another one stands for it.
_BACKTICK = "\u02cb"
# "and 40000 more", with room to spare.
_MORE_SIZE = 40
_FENCE = re.compile("`{3,}")
_ZERO_WIDTH_SPACE = "\u200b"


def width(text: str) -> int:
    """The size of a text in UTF-16 units."""
    return len(text) + sum(1 for c in text if c > "\uffff")


def clean(text: str, most: int, *, lines: bool = False) -> str:
    """Printable text of at most `most` units, not escaped; line breaks only with `lines`."""
    # Nothing here makes a text shorter: of a megabyte only the beginning matters.
    beginning = _UNPRINTABLE.sub(" ", text[: most + 1])
    return cut(beginning if lines else _LINE_BREAKS.sub(" ", beginning), most)


def safe(text: str, most: int, *, lines: bool = False) -> str:
    """Clean text for mrkdwn and plain_text, `&`, `<` and `>` escaped; what is cut ends with an ellipsis.

    It opens and ends no code block: only fenced() does.
    """
    return cut(escaped(clean(_unfenced(text[: most + 1]), most + 1, lines=lines)), most)


def escaped(text: str) -> str:
    """As Slack wants it; nothing else is special to it (https://api.slack.com/reference/surfaces/formatting)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """The beginning of an escaped text."""
    if width(text[: most + 1]) <= most:
        return text
    units = text[:most].encode("utf-16-le")[: 2 * (most - 1)]
    return _HALF_ENTITY.sub("", units.decode("utf-16-le", "ignore")) + ELLIPSIS


def code(text: str, most: int) -> str:
    """A name as it is: in `code` nothing is bold, an emoji or a mention."""
    return f"`{safe(text.replace('`', _BACKTICK), most - 2) or ' '}`"


def fenced(text: str, most: int) -> str:
    """Lines of code, which cannot end their block by themselves."""
    fence = "```"
    return f"{fence}\n{safe(text, most - 2 * len(fence) - 2, lines=True)}\n{fence}"


def is_cut(block: str) -> bool:
    """Whether a fenced block shows only the beginning (or something that looks so)."""
    return block.endswith(f"{ELLIPSIS}\n```")


def _unfenced(text: str) -> str:
    """Without three backticks in a row; two, an empty name, stay."""
    return _FENCE.sub(lambda found: _ZERO_WIDTH_SPACE.join(found[0]), text)


def room_for(texts: Iterable[str], most: int) -> int:
    """How many of some lines, each with its line break, fit together."""
    number = 0
    for text in texts:
        most -= width(text) + 1
        if most < 0:
            break
        number += 1
    return number


def listed(texts: Sequence[str], most: int) -> str:
    """Lines that fit, and how many there are beside; no line is cut."""
    if room_for(texts, most + 1) == len(texts):
        return "\n".join(texts)
    shown = room_for(texts, most - _MORE_SIZE)
    return "\n".join([*texts[:shown], f"and {len(texts) - shown} more"])

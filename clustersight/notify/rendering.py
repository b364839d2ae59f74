"""A message as a Slack webhook takes it: `text` for notifications, blocks for readers (pure).

The title stands above an attachment, whose colour tells the severity. It has at most five blocks: Slack
hides more of an attachment behind "Show more".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clustersight.notify import blocks, digest, wording
from clustersight.notify.blocks import Block
from clustersight.notify.limits import HEADER_SIZE, PLAIN_SIZE, code, listed, safe, width
from clustersight.notify.notice import Form, Message, Notice, NoticeKind

# What a notification shows of it is less.
TEXT_SIZE = 500
# spec/rules.md: a group message shows the ten worst rows.
GROUP_ROWS = 10


def payload(message: Message) -> dict[str, Any]:
    """The body of the POST, within all of Slack's limits."""
    title, text = _head(message)
    return {
        "text": safe(text, TEXT_SIZE),
        "blocks": [blocks.header(title)],
        "attachments": [{"color": blocks.colour(message.notices), "blocks": list(_body(message))}],
    }


def plain_payload(message: Message) -> dict[str, Any]:
    """The same without blocks, for a message that was refused with them."""
    return {"text": plain_text(message)}


def plain_text(message: Message) -> str:
    """At most PLAIN_SIZE, escaped. The parts are small enough that no code block is left open."""
    if message.form is not Form.SINGLE:
        return _plain_list(message)
    notice = message.notices[0]
    links = blocks.alert_links(notice, message.links)
    parts = [
        safe(wording.line(notice), 700),
        safe(notice.description, 500, lines=True),
        safe(wording.measured(notice), 100),
        safe(wording.news(notice, message.sent_at), 300),
        blocks.fix(command, 900) if (command := _command(notice)) else "",
        links if width(links) <= 450 else "",
    ]
    return "\n".join(part for part in parts if part.strip())


def _plain_list(message: Message) -> str:
    title, _ = _head(message)
    rows = [digest.row(notice) for notice in message.notices]
    return listed([safe(title, HEADER_SIZE), *rows], PLAIN_SIZE)


def _head(message: Message) -> tuple[str, str]:
    """The title, and the text for notifications."""
    first = message.notices[0]
    match message.form:
        case Form.SINGLE:
            return wording.title(first), wording.line(first)
        case Form.GROUP:
            where = f" in {first.cluster}" if first.cluster else ""
            head = f"[{digest.worst(message.notices)}] {first.rule_name}: "
            return f"{head}{len(message.notices)} alerts", f"{head}{digest.counts(message.notices)}{where}"
        case Form.DIGEST:
            title = f"[{digest.worst(message.notices)}] {len(message.notices)} alerts"
            return title, f"[{digest.worst(message.notices)}] {digest.counts(message.notices)}"


def _body(message: Message) -> Iterator[Block]:
    match message.form:
        case Form.SINGLE:
            yield from _single(message)
        case Form.GROUP:
            yield from _group(message)
        case Form.DIGEST:
            yield from digest.body(message)


def _single(message: Message) -> Iterator[Block]:
    notice = message.notices[0]
    if notice.kind is NoticeKind.TEST:
        yield blocks.section(safe(wording.news(notice, message.sent_at), 400))
    if (notice.summary + notice.description).strip():
        yield blocks.section(blocks.story(notice))
    if notice.kind is not NoticeKind.TEST:
        yield blocks.section(blocks.facts(notice, message.sent_at))
    if notice.evidence:
        yield blocks.section(blocks.evidence(notice.evidence))
    command = _command(notice)
    if command:
        yield blocks.section(blocks.fix(command))
    yield from _links(blocks.alert_links(notice, message.links))


def _group(message: Message) -> Iterator[Block]:
    first = message.notices[0]
    where = f" in cluster {code(first.cluster, 200)}" if first.cluster else ""
    yield blocks.section(f"{digest.counts(message.notices)} of rule {code(first.rule_name, 200)}{where}")
    yield blocks.section(_worst_rows(message.notices))
    command = next(filter(None, map(_command, message.notices)), None)
    if command:
        yield blocks.section(blocks.fix(command))
    yield from _links(blocks.all_links(first.runbook_url, message.links))


def _worst_rows(notices: Sequence[Notice]) -> str:
    rows = [digest.row(notice, of_group=True) for notice in notices[:GROUP_ROWS]]
    rest = len(notices) - len(rows)
    return "\n".join([*rows, f"and {rest} more"] if rest else rows)


def _command(notice: Notice) -> str | None:
    """The fix; what is over needs none, and it might do harm."""
    return None if wording.is_over(notice) else notice.fix


def _links(text: str) -> Iterator[Block]:
    if text:
        yield blocks.context(text)

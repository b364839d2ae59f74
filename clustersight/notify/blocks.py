"""Pieces of Slack's Block Kit, each within its limits: https://api.slack.com/reference/block-kit/blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from clustersight.notify import wording
from clustersight.notify.limits import HEADER_SIZE, code, escaped, fenced, is_cut, listed, safe
from clustersight.notify.notice import Links, Notice, NoticeKind
from clustersight.settings.notify import Severity

Block = dict[str, Any]
# With header, text, story, facts, evidence, fix and links a message stays below MESSAGE_SIZE.
STORY_SIZE = 2400
FACTS_SIZE = 2400
EVIDENCE_SIZE = 1900
FIX_SIZE = 2900
LINKS_SIZE = 1500
_URL_SIZE = 450
_GREEN, _GREY = "#2eb67d", "#868e96"
_COLOURS = {Severity.CRITICAL: "#d0342c", Severity.WARNING: "#e8a317"}
# All of ASCII that a URL may hold; `<`, `>` and `|` would end Slack's link.
_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%~"
# Dashboards of grafana/, by uids that stay; a test compares them.
CLUSTER_BOARD, ALERTS_BOARD = "clustersight-cluster", "clustersight-alerts"
_CUT = " (only its beginning: do not run it; the API has all of it)"


def header(text: str) -> Block:
    """The title."""
    plain = {"type": "plain_text", "text": safe(text, HEADER_SIZE), "emoji": False}
    return {"type": "header", "text": plain}


def section(text: str) -> Block:
    """A paragraph. `verbatim`: Slack makes no mentions, channels and links of what looks like them."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text or " ", "verbatim": True}}


def context(text: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def colour(notices: Iterable[Notice]) -> str:
    """Of the worst of them."""
    found = list(notices)
    if all(notice.kind is NoticeKind.TEST for notice in found):
        return _GREY
    open_ones = [notice.severity for notice in found if not wording.is_over(notice)]
    if not open_ones:
        return _GREEN
    return _COLOURS[Severity.CRITICAL if Severity.CRITICAL in open_ones else Severity.WARNING]


def story(notice: Notice, most: int = STORY_SIZE) -> str:
    """What is wrong, in the words of the rule."""
    summary = safe(notice.summary, most // 2, lines=True)
    if not notice.description.strip():
        return summary
    return f"{summary}\n{safe(notice.description, most - most // 2 - 1, lines=True)}"


def facts(notice: Notice, now: float) -> str:
    """Where and how much; the labels last, since they may be many."""
    return listed(list(_facts(notice, now)), FACTS_SIZE)


def _facts(notice: Notice, now: float) -> Iterator[str]:
    places = (("Cluster", notice.cluster), ("Host", notice.host), ("Table", wording.table(notice)))
    yield from (f"*{name}:* {code(text, 300)}" for name, text in places if text)
    value = wording.measured(notice)
    if value:
        name = "Last value" if wording.is_over(notice) else "Value"
        yield f"*{name}:* {safe(value, 200)}"
    yield safe(wording.news(notice, now), 400)
    for name, text in wording.other_labels(notice):
        yield f"{code(name, 80)}: {code(text, 200)}"


def evidence(row: Mapping[str, Any]) -> str:
    """The panel's row, a line for each column; long values lose their ends."""
    lines = [f"{safe(str(name), 80)}: {safe(_shown(value), 200)}" for name, value in row.items()]
    return f"*Evidence*\n```\n{listed(lines, EVIDENCE_SIZE - 30)}\n```"


def _shown(value: Any) -> str:
    return "" if value is None else wording.number(value) if isinstance(value, float) else str(value)


def fix(command: str, most: int = FIX_SIZE) -> str:
    """The command as it is to be run, unless it is too long to be shown."""
    block = fenced(command.strip("\n"), most - len(_CUT) - 10)
    return f"*Fix*{_CUT if is_cut(block) else ''}\n{block}"


def alert_links(notice: Notice, links: Links) -> str:
    """Where to go on with one alert."""
    alert = quote(notice.alert_id, safe="", errors="replace")
    api = f"{links.api_url}/api/v1/alerts/{alert}" if links.api_url and alert else None
    return _joined(notice.runbook_url, _dashboard(notice, links), api)


def _dashboard(notice: Notice, links: Links) -> str | None:
    """The dashboard of the cluster, at the host where the alert names one."""
    if not links.grafana_url:
        return None
    chosen = [("var-cluster", notice.cluster), ("var-host", notice.host)]
    query = urlencode([(name, value) for name, value in chosen if value], errors="replace")
    return f"{links.grafana_url}/d/{CLUSTER_BOARD}" + (f"?{query}" if query else "")


def all_links(runbook_url: str | None, links: Links) -> str:
    """Where to go on with several alerts."""
    grafana = f"{links.grafana_url}/d/{ALERTS_BOARD}" if links.grafana_url else None
    return _joined(runbook_url, grafana, f"{links.api_url}/api/v1/alerts" if links.api_url else None)


def _joined(runbook: str | None, grafana: str | None, api: str | None) -> str:
    named = ((runbook, "Runbook"), (grafana, "Grafana"), (api, "API"))
    return " · ".join(found for url, name in named if url and (found := _link(url, name)))


def _link(url: str, name: str) -> str:
    """A link; half of a URL leads nowhere, so that one too long is left out."""
    if not url.startswith(("https://", "http://")):
        return f"{name}: {code(url, _URL_SIZE)}"
    target = escaped(quote(url[: _URL_SIZE + 1], safe=_URL_CHARACTERS, errors="replace"))
    return f"<{target}|{name}>" if len(target) <= _URL_SIZE else ""

"""Slack by incoming webhooks: https://api.slack.com/messaging/webhooks.

Delivered is a 200 with the body `ok`; errors come with a status, and from the Web API and proxies before
it also as a 200 with `{"ok": false, "error": …}`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from clustersight.notify import rendering
from clustersight.notify.channel import ChannelBroken, Delivered, Outcome, Paused, Refused, TryAgain
from clustersight.notify.notice import Message
from clustersight.notify.posting import Answer, Poster
from clustersight.notify.verdict import pause_seconds, said, verdict

# https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks, and the errors of
# https://api.slack.com/methods/chat.postMessage. These speak of the channel, whatever the status ...
_OF_CHANNEL = frozenset(
    {
        *("invalid_token", "token_revoked", "token_expired", "invalid_auth", "not_authed", "no_permission"),
        *("no_service", "no_service_id", "no_active_hooks", "no_team", "team_disabled", "account_inactive"),
        *("channel_not_found", "channel_is_archived", "is_archived", "not_in_channel", "user_not_found"),
        *("action_prohibited", "posting_to_general_channel_denied", "restricted_action", "missing_scope"),
        *("org_login_required", "access_denied", "ekm_access_denied"),
    }
)
# ... these of the message ...
_OF_MESSAGE = frozenset(
    {
        *("invalid_payload", "no_text", "too_many_attachments", "msg_too_long", "msg_blocks_too_long"),
        *("invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_arguments"),
        *("markdown_text_conflict", "invalid_json", "invalid_form_data"),
    }
)
# ... and these of too many.
_OF_RATE = frozenset({"rate_limited", "ratelimited", "message_limit_exceeded"})
_CODE = re.compile(r"[a-z_]{2,60}")


class SlackChannel:
    """One incoming webhook."""

    def __init__(self, name: str, poster: Poster, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells epoch seconds, for a Retry-After with a date."""
        self._name, self._poster, self._clock = name, poster, clock

    def __repr__(self) -> str:
        return f"SlackChannel({self._name!r})"

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message, *, plain: bool = False) -> Outcome:
        payload = rendering.plain_payload(message) if plain else rendering.payload(message)
        answer = self._poster.post(json.dumps(payload).encode("ascii"))
        return slack_verdict(answer, self._clock()) if isinstance(answer, Answer) else answer


def slack_verdict(answer: Answer, now: float) -> Outcome:
    """As verdict(), but Slack says more than its status; `now` in epoch seconds."""
    if answer.status != 200:
        return _refusal(answer, now) if answer.status == 400 else _not_success(answer, now)
    if not answer.is_whole:
        return TryAgain("the answer does not end, or is not that of Slack")
    return Delivered() if _is_ok(answer.text) else _refusal(answer, now)


def _refusal(answer: Answer, now: float) -> Outcome:
    """By the error that the body names."""
    code, reason = _error(answer.text), said(answer)
    if code in _OF_CHANNEL:
        return ChannelBroken(reason)
    if code in _OF_MESSAGE:
        return Refused(reason)
    if code in _OF_RATE:
        return Paused(pause_seconds(answer.retry_after, now), reason)
    return _not_success(answer, now)


def _not_success(answer: Answer, now: float) -> Outcome:
    """A page with a 200, of a proxy or a portal, is no delivery."""
    found = verdict(answer, now)
    return TryAgain(said(answer)) if isinstance(found, Delivered) else found


def _is_ok(text: str) -> bool:
    return text.strip() == "ok" or _object(text).get("ok") is True


def _error(text: str) -> str:
    """`no_service` of a body that is that alone, or JSON with an error; empty where there is none."""
    found = str(_object(text).get("error", text.strip()))
    return found if _CODE.fullmatch(found) else ""


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

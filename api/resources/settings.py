"""/settings: what can be set without a file; what a file or the environment gives is shown, and stays."""

from __future__ import annotations

import ipaddress
import socket
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from api import channels
from api.alerts.delivery import Deliveries, no_channel
from api.body import Body
from api.context import current
from api.errors import Conflict, DeliveryFailed, of_field
from api.query import NoMeta
from api.resource import Answer, Resource, Shape
from clustersight import channels as core
from clustersight.effective import OVERLAY, overlaid, provisioned
from clustersight.notify.notice import Notice, NoticeKind
from clustersight.settings.model import Settings
from clustersight.store import outbox
from clustersight.store import settings as stored_settings
from clustersight.store.outbox import NewRow

RESOURCE = Resource("settings", "What can be set without a configuration file.")

SLACK = core.SETTING
TEST_SUMMARY = "Test notification from ClusterSight"
_SHOWN_CHARACTERS = 4
# Of a shorter path they would be most of the secret; Slack's have some seventy.
_SHORTEST_SHOWN = 20


class Origin(StrEnum):
    """Where a setting's value comes from; `file` (or the environment) wins, and cannot be changed here."""

    FILE = "file"
    API = "api"
    DEFAULT = "default"


class SettingsShape(Shape):
    """The settings as they hold now."""

    slack_webhook_url: str | None = Field(
        description="Masked.", examples=["https://hooks.slack.com/…/****wxyz"]
    )
    collection_interval_sec: int
    tier1_enabled: bool
    tier2_enabled: bool
    retention_raw_days: int
    retention_hourly_days: int
    retention_daily_days: int


class SettingsMeta(Shape):
    """Where each value comes from; `problems` are those of values that cannot be used."""

    origin: dict[str, Origin]
    problems: dict[str, str]


class SettingsChange(Body):
    """The settings to change; null changes nothing.

    The mask of the URL keeps what is stored, an empty text removes it.
    """

    slack_webhook_url: Annotated[str, Field(max_length=2000)] | None = None
    collection_interval_sec: Annotated[int, Field(ge=5, le=3600)] | None = None
    tier1_enabled: bool | None = None
    tier2_enabled: bool | None = None
    retention_raw_days: Annotated[int, Field(ge=1, le=90)] | None = None
    retention_hourly_days: Annotated[int, Field(ge=1, le=400)] | None = None
    retention_daily_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class Sent(Shape):
    """A message was delivered."""

    sent: bool


class NotSent(Shape):
    """It is in the outbox, and not delivered yet."""

    sent: bool = Field(examples=[False])
    state: str = Field(examples=[outbox.PENDING])
    reason: str = Field(examples=["no alerter is running"])


@RESOURCE.get("/settings", etag=True)
def get_settings() -> Answer[SettingsShape, SettingsMeta]:
    """The settings as they hold now, and where each comes from."""
    return _shown()


@RESOURCE.put("/settings", errors=(Conflict,))
def put_settings(body: SettingsChange) -> Answer[SettingsShape, SettingsMeta]:
    """Change settings: the fields that are sent. They hold in all processes within one interval."""
    given = {name: value for name, value in body.model_dump().items() if value is not None}
    url = given.pop(SLACK, None)
    plain = {name: value for name, value in given.items() if _is_change(name, value)}
    encrypted = {} if url is None else _encrypted(url)
    if plain or encrypted:
        with current().database.begin() as db:
            stored_settings.write(db, plain, encrypted, current().now)
    return _shown()


@RESOURCE.post("/settings/test-notification", errors=(DeliveryFailed,), others={202: NotSent})
def post_test_notification() -> Answer[Sent, NoMeta]:
    """Send a test message to Slack, or without a channel of that name to all, and wait some seconds."""
    with current().database.begin() as db:
        usable = [channel.name for channel in channels.usable(current(), db)]
        if not usable:
            raise no_channel()
        chosen = [core.SLACK] if core.SLACK in usable else usable
        ids = outbox.put(db, [_test_row(name) for name in chosen], current().now)
    reason = current().of(Deliveries).wait(ids)
    if reason is not None:
        return Answer(NotSent(sent=False, state=outbox.PENDING, reason=reason), status=202)
    return Answer(Sent(sent=True))


def _test_row(channel: str) -> NewRow:
    notice = Notice(kind=NoticeKind.TEST, summary=TEST_SUMMARY)
    return NewRow(None, channel, notice.kind.value, notice.severity.value, notice.plain())


def _is_change(name: str, value: Any) -> bool:
    """Whether the store is to be written. Raises Conflict where a file says otherwise."""
    section, key = OVERLAY[name]
    if name not in provisioned(current().settings):
        return True
    if getattr(getattr(current().settings, section), key) != value:
        raise Conflict(_owned(name, f"{section}.{key}"))
    return False


def _owned(name: str, key: str) -> str:
    return f"{name} is set by a configuration file or the environment ({key}); change it there"


def _encrypted(url: str) -> dict[str, str | None]:
    """What to write of a webhook URL; nothing where it is the mask of what is there."""
    before, origin, _ = _webhook()
    if before and url == _mask(before):
        return {}
    if origin is Origin.FILE:
        raise Conflict(_owned(SLACK, "notify.channels"))
    if not url:
        return {SLACK: None}
    _refuse_bad_webhook(url, allow_private=current().settings.notify.allow_private)
    return {SLACK: current().secrets.encrypt(url)}


def _refuse_bad_webhook(url: str, *, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0 or any(c.isspace() or not c.isprintable() for c in url):
        raise of_field(SLACK, "must be a URL such as https://hooks.slack.com/services/…")
    if allow_private and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https" or is_private(host):
        raise of_field(
            SLACK, "must be https and not a private address; notify.allow_private: true accepts others"
        )


def is_private(host: str) -> bool:
    """Whether a host is, or any of its addresses is, one that only this network knows.

    A name that is not known here may be known where the alerter runs, which looks again before it sends.
    """
    host = host.rstrip(".")  # `localhost.` is localhost too
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        return _resolves_to_private(host)


def _resolves_to_private(host: str) -> bool:
    # Also 0x7f000001 and 127.1, which a resolver takes for addresses; that needs no network.
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


def _webhook() -> tuple[str | None, Origin, str]:
    """The URL in clear, for us alone; where it comes from, and why it cannot be used."""
    for channel in current().settings.notify.channels:
        if channel.name == core.SLACK and channel.url is not None:
            return channel.url.get_secret_value(), Origin.FILE, ""
    with current().database.read() as db:
        url, problem = core.stored_webhook(current().secrets, db)
    return url, Origin.API if url or problem else Origin.DEFAULT, problem


def _mask(url: str | None) -> str | None:
    """Host and the last four characters of a long path: enough to tell two apart."""
    if url is None:
        return None
    parts = urlsplit(url)
    secret = url.partition(parts.netloc)[2]
    shown = secret[-_SHOWN_CHARACTERS:] if len(secret) >= _SHORTEST_SHOWN else ""
    return f"{parts.scheme}://{parts.hostname}/…/****{shown}"


def _shown() -> Answer[SettingsShape, SettingsMeta]:
    settings = current().settings
    with current().database.read() as db:
        stored = stored_settings.read(db)
    url, origin, problem = _webhook()
    found = overlaid(settings, stored)
    values = {name: getattr(getattr(found, section), key) for name, (section, key) in OVERLAY.items()}
    origins = {name: _origin(settings, stored, name) for name in OVERLAY}
    more = {"origin": {SLACK: origin, **origins}, "problems": {SLACK: problem} if problem else {}}
    return Answer(SettingsShape(slack_webhook_url=_mask(url), **values), more)


def _origin(settings: Settings, stored: dict[str, Any], name: str) -> Origin:
    if name in provisioned(settings):
        return Origin.FILE
    return Origin.API if name in stored else Origin.DEFAULT

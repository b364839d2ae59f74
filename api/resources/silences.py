"""/silences: which alerts are not sent, from when to when."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from api import patterns
from api.alerts import snoozing
from api.body import Body
from api.context import current
from api.errors import Detail, Invalid, NotFound, of_field
from api.moment import Moment, epoch
from api.query import Paged, PageMeta, page_meta
from api.resource import Answer, Resource, Shape
from clustersight.alerts import silencing
from clustersight.store import alert_changes, silences
from clustersight.store.silences import NewSilence, StoredSilence
from clustersight.times import iso

RESOURCE = Resource("silences", "Which alerts are not sent, from when to when.")

MAX_MINUTES = 366 * 24 * 60


class MatchOperator(StrEnum):
    """How a label is compared; =~ and !~ take a regular expression that matches the whole value."""

    EQUAL = "="
    DIFFERENT = "!="
    MATCHES = "=~"
    DIFFERS = "!~"


class Matcher(Body):
    """One condition on a label: alertname, severity, cluster, host, or any label of the alert."""

    label: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)] = Field(
        examples=["alertname"]
    )
    op: MatchOperator = Field(default=MatchOperator.EQUAL, strict=False)
    value: Annotated[str, Field(max_length=1000)] = Field(examples=["DiskUsage"])


class SilenceBody(Body):
    """A silence; it ends at `ends_at` or after `duration_minutes`, one of the two."""

    matchers: Annotated[list[Matcher], Field(min_length=1, max_length=50)] = Field(
        examples=[[{"label": "alertname", "op": "=", "value": "DiskUsage"}]]
    )
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    duration_minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES)] | None = Field(default=None, examples=[60])
    by: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["ann"])
    comment: Annotated[str, Field(min_length=1, max_length=2000)] = Field(examples=["moving disks"])


class MatcherShape(Shape):
    """One condition."""

    label: str
    op: MatchOperator
    value: str


class SilenceState(StrEnum):
    """Where now is in it."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class SilenceShape(Shape):
    """A silence; `alert_id` is that of the alert whose snooze it is."""

    id: str = Field(examples=["si_0123456789ab"])
    matchers: list[MatcherShape]
    starts_at: str
    ends_at: str
    by: str
    comment: str
    alert_id: str | None
    state: SilenceState
    created_at: str


class DeletedSilence(Shape):
    """What was deleted."""

    id: str
    deleted: bool


@RESOURCE.get("/silences", etag=True)
def get_silences(query: Paged) -> Answer[list[SilenceShape], PageMeta]:
    """All silences, the last to end first."""
    with current().database.read() as db:
        found, total = silences.page(db, query.limit, query.offset)
    now = current().now
    return Answer([_shape(one, now) for one in found], page_meta(total, query))


@RESOURCE.post("/silences", status=201)
def post_silence(body: SilenceBody) -> SilenceShape:
    """Silence alerts."""
    now = current().now
    with current().database.begin() as db:
        return _shape(silences.create(db, _silence(body, now), now), now)


@RESOURCE.delete("/silences/<id:silence_id>")
def delete_silence(silence_id: str) -> DeletedSilence:
    """End a silence; that of a snooze ends the snooze."""
    with current().database.begin() as db:
        alert_changes.queue(db)
        found = silences.get(db, silence_id)
        if found is None:
            raise NotFound(f"there is no silence {silence_id}")
        snoozing.end(db, found)
    return DeletedSilence(id=silence_id, deleted=True)


def _silence(body: SilenceBody, now: float) -> NewSilence:
    starts_at = epoch(body.starts_at) if body.starts_at is not None else now
    if (body.ends_at is None) == (body.duration_minutes is None):
        raise of_field("ends_at", "or duration_minutes is needed, one of the two")
    ends_at = epoch(body.ends_at) if body.ends_at else starts_at + 60 * (body.duration_minutes or 0)
    if ends_at <= max(starts_at, now):
        raise of_field("ends_at", "must be later than now and than starts_at")
    if ends_at > now + 60 * MAX_MINUTES:
        raise of_field("ends_at", "must be within a year")
    _refuse_bad_expressions(body.matchers)
    _refuse_everything(body.matchers)
    return NewSilence(
        matchers=[matcher.model_dump(mode="json") for matcher in body.matchers],
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=body.by,
        comment=body.comment,
    )


def _refuse_bad_expressions(matchers: list[Matcher]) -> None:
    compared = (MatchOperator.MATCHES, MatchOperator.DIFFERS)
    refused = ((n, patterns.refusal(one.value)) for n, one in enumerate(matchers) if one.op in compared)
    wrong = [Detail(f"matchers.{n}.value", why) for n, why in refused if why]
    if wrong:
        raise Invalid(f"{wrong[0].path} {wrong[0].message}", detail=wrong)


def _refuse_everything(matchers: list[Matcher]) -> None:
    """As Alertmanager does: one matcher at least must want a label to be there."""
    if all(silencing.matches([one.model_dump(mode="json")], {}) for one in matchers):
        raise of_field("matchers", "would silence everything; name a label that must be there, with a value")


def _shape(stored: StoredSilence, now: float) -> SilenceShape:
    silence = stored.silence
    return SilenceShape(
        id=stored.id,
        matchers=[MatcherShape.model_validate(matcher) for matcher in silence.matchers],
        starts_at=str(iso(silence.starts_at)),
        ends_at=str(iso(silence.ends_at)),
        by=silence.created_by,
        comment=silence.comment,
        alert_id=silence.alert_id,
        state=_state(silence, now),
        created_at=str(iso(stored.created_at)),
    )


def _state(silence: NewSilence, now: float) -> SilenceState:
    if now >= silence.ends_at:
        return SilenceState.EXPIRED
    return SilenceState.ACTIVE if now >= silence.starts_at else SilenceState.PENDING

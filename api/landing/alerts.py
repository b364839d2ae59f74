"""An alert as the landing page shows it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from api.alerts.shapes import fields_of
from api.landing.clusters import is_dark
from api.landing.facts import Facts
from api.landing.places import Places
from api.landing.views import AlertView, Level, Link, lasted, name, text
from clustersight.alerts.notices import notice_of
from clustersight.notify import wording
from clustersight.notify.limits import clean
from clustersight.notify.notice import Notice, NoticeKind
from clustersight.settings.notify import Severity
from clustersight.store.alerts import StoredAlert

# A fix is run as it is: one that was cut is said to be.
FIX_SIZE = 8000
MOST_LABELS = 20
MOST_COLUMNS = 40
_LEVELS = {Severity.CRITICAL: Level.CRITICAL, Severity.WARNING: Level.WARNING}


def views(facts: Facts, places: Places) -> tuple[AlertView, ...]:
    """Those that somebody is told of first; within them the order is that of the facts."""
    dark = frozenset(item.id for item in facts.items if is_dark(item))
    found = [_view(alert, facts.now, places, is_old=alert.cluster_id in dark) for alert in facts.alerts]
    return tuple(sorted(found, key=lambda one: bool(one.quiet)))


def _view(alert: StoredAlert, now: float, places: Places, *, is_old: bool) -> AlertView:
    fields = fields_of(alert, now)
    notice = _notice(alert)
    fix = clean((notice.fix or "").strip("\n"), FIX_SIZE, lines=True)
    return AlertView(
        id=alert.id,
        level=_LEVELS[notice.severity],
        name=name(notice.rule_name),
        cluster=name(notice.cluster),
        host=name(notice.host),
        table=name(wording.table(notice)),
        labels=_pairs(dict(wording.other_labels(notice)), MOST_LABELS),
        summary=text(notice.summary),
        description=text(notice.description),
        place=name(wording.place(notice)),
        since=wording.moment(notice.fired_at),
        lasted=lasted(now - notice.fired_at),
        measured=name(wording.measured(notice)),
        fix=fix,
        fix_is_cut=len(fix) < len((notice.fix or "").strip("\n")) or fix.endswith("…"),
        evidence=_pairs(notice.evidence or {}, MOST_COLUMNS),
        quiet="; ".join(_quiet(alert, fields)),
        is_old=is_old,
        links=tuple(_links(alert, notice, places)),
    )


def _notice(alert: StoredAlert) -> Notice:
    """What channels are told of it, whose words are used here too."""
    row = {
        "id": alert.id,
        "rule_name": alert.rule_name,
        "severity": alert.severity,
        "fired_at": alert.fired_at,
    }
    return Notice.of_plain(notice_of(NoticeKind.FIRING, row, alert.detail))


def _quiet(alert: StoredAlert, fields: Mapping[str, Any]) -> Iterator[str]:
    """Why it is not sent (again)."""
    if alert.acknowledged_at is not None:
        by = f" by {name(alert.acknowledged_by)}" if alert.acknowledged_by else ""
        yield f"acknowledged{by}"
    if fields["snoozed_until"] is not None:
        yield f"snoozed until {wording.moment(alert.snoozed_until)}"
    elif fields["silenced_by"]:
        yield f"silenced by {name(fields['silenced_by'])}"
    if fields["inhibited_by"]:
        yield f"follows from {name(fields['inhibited_by'])}"


def _links(alert: StoredAlert, notice: Notice, places: Places) -> Iterator[Link]:
    # Whoever may make rules could write another scheme there.
    if notice.runbook_url and notice.runbook_url.startswith(("https://", "http://")):
        yield Link("Runbook", notice.runbook_url)
    yield places.of_api("Course and deliveries", f"/alerts/{alert.id}", "alerts/get_alert")


def _pairs(row: Mapping[str, Any], most: int) -> tuple[tuple[str, str], ...]:
    """A row of strangers: so many columns, each cut."""
    return tuple((name(str(key)), _shown(value)) for key, value in list(row.items())[:most])


def _shown(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return wording.number(value) if isinstance(value, int | float) else text(str(value))

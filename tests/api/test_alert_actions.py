"""What people do with an alert: acknowledge it, snooze it, and what a race with the alerter comes to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.alerts.silencing import matches
from clustersight.store import alert_changes, alerts, revisions, silences
from clustersight.times import iso
from tests.api.alerting import DISK, events, fired, resolved
from tests.api.answers import bad, good

if TYPE_CHECKING:
    from tests.api.conftest import Client

HOUR = {"duration_minutes": 60}


def revision(client: Client) -> int:
    """What the alerter follows."""
    with client.store.database.read() as db:
        return revisions.read(db, alert_changes.REVISION)


def alert(client: Client, alert_id: str) -> dict[str, Any]:
    return dict(good(client.get(f"/alerts/{alert_id}")))


def silenced(client: Client, alert_id: str) -> bool:
    """Whether the alerter would hold its messages back, as alerter/writing.py asks."""
    now = client.time.now
    with client.store.database.read() as db:
        stored, found = silences.unended(db, now), alerts.get(db, alert_id)
    assert found is not None
    own = {"alertname": found.rule_name, "severity": found.severity}
    return any(matches(one.silence.matchers, {**found.detail["labels"], **own}) for one in stored)


# Acknowledging.


def test_an_acknowledgement_says_who_and_is_kept(client: Client) -> None:
    alert_id, before = fired(client), revision(client)

    body = {"by": "ada", "note": "on it"}
    shown = good(client.post(f"/alerts/{alert_id}/acknowledge", body))

    assert (shown["status"], shown["acknowledged_by"]) == ("acknowledged", "ada")
    assert shown["acknowledged_at"] == iso(client.time.now)
    assert shown["version"] == 2
    assert {key: alert(client, alert_id)[key] for key in shown} == shown
    assert events(client, alert_id)[1:] == [("acknowledged", body)]
    assert revision(client) > before


def test_to_acknowledge_again_changes_nothing(client: Client) -> None:
    alert_id = fired(client)
    first = good(client.post(f"/alerts/{alert_id}/acknowledge", {"by": "ada"}))
    client.time.now += 60

    assert good(client.post(f"/alerts/{alert_id}/acknowledge", {"by": "bob"})) == first
    assert good(client.post(f"/alerts/{alert_id}/acknowledge")) == first
    assert len(events(client, alert_id)) == 2


def test_what_is_resolved_takes_nothing(client: Client) -> None:
    alert_id = fired(client)
    resolved(client, alert_id)
    before = alert(client, alert_id)

    for action, body in (("acknowledge", None), ("snooze", HOUR), ("escalate", None)):
        bad(client.post(f"/alerts/{alert_id}/{action}", body), 409, "conflict")
    assert alert(client, alert_id) == before
    assert good(client.get("/silences")) == []


@pytest.mark.parametrize(
    "body", [{"by": 1}, {"by": "x" * 201}, {"who": "ada"}, {"note": "x" * 2001}, {"by": "a\0"}]
)
def test_a_wrong_acknowledgement_is_refused(client: Client, body: dict[str, Any]) -> None:
    alert_id = fired(client)

    bad(client.post(f"/alerts/{alert_id}/acknowledge", body), 422, "validation_error")
    assert alert(client, alert_id)["status"] == "active"


SLACK = {"name": "slack", "kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/x"}


@pytest.mark.parametrize("action", ["acknowledge", "snooze", "escalate"])
def test_a_resolve_in_between_wins(
    new_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """The alerter commits after the API has looked, and before it writes."""
    client = new_client(notify={"channels": [SLACK]})
    if client.store.database.is_sqlite:
        pytest.skip("SQLite has one writer: nothing comes in between")
    alert_id = fired(client)
    name = {"escalate": "escalated"}.get(action, action)
    real = getattr(alert_changes, name)

    def late(*arguments: Any, **named: Any) -> Any:
        thread = threading.Thread(target=resolved, args=(client, alert_id))
        thread.start()
        thread.join()
        return real(*arguments, **named)

    monkeypatch.setattr(alert_changes, name, late)

    body = HOUR if action == "snooze" else None
    bad(client.post(f"/alerts/{alert_id}/{action}", body), 409, "conflict")

    found = alert(client, alert_id)
    assert (found["status"], found["escalated_at"], found["deliveries"]) == ("resolved", None, [])
    assert [kind for kind, _ in events(client, alert_id)] == ["fired"]
    assert good(client.get("/silences")) == []


def test_many_at_once_are_one_acknowledgement(client: Client) -> None:
    alert_id = fired(client)
    found: list[Any] = []

    def acknowledge(number: int) -> None:
        answer = client.app.test_client().post(
            f"/api/v1/alerts/{alert_id}/acknowledge", json={"by": f"user{number}"}
        )
        found.append(good(answer)["acknowledged_by"])

    threads = [threading.Thread(target=acknowledge, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(events(client, alert_id)) == 2


# Snoozing.


def test_a_snooze_is_a_silence_of_this_alert_alone(client: Client) -> None:
    alert_id, before = fired(client), revision(client)
    others = [fired(client, labels={"disk": "other"}), fired(client, host="ch2")]
    others.append(fired(client, replace(DISK, name="Other")))

    snoozed = good(client.post(f"/alerts/{alert_id}/snooze", HOUR))

    assert snoozed["snoozed_until"] == iso(client.time.now + 3600)
    assert snoozed["rule_id"] == "ru_000000000001"
    [silence] = good(client.get("/silences"))
    assert (silence["id"], silence["alert_id"]) == (snoozed["silence_id"], alert_id)
    assert silence["ends_at"] == snoozed["snoozed_until"]
    assert alert(client, alert_id)["snoozed_until"] == snoozed["snoozed_until"]
    assert silenced(client, alert_id)
    assert [silenced(client, one) for one in others] == [False] * 3
    assert [alert(client, one)["snoozed_until"] for one in others] == [None] * 3
    [(kind, detail)] = events(client, alert_id)[1:]
    assert (kind, detail["silence_id"], detail["scope"]) == ("snoozed", silence["id"], "alert")
    assert revision(client) > before


@pytest.mark.parametrize(("labels", "host"), [({}, "ch1"), ({}, "")], ids=["without data", "of the cluster"])
def test_a_snooze_of_an_alert_with_fewer_labels_silences_no_other(
    client: Client, labels: dict[str, str], host: str
) -> None:
    alert_id = fired(client, labels=labels, host=host, value=None)
    other = fired(client)

    good(client.post(f"/alerts/{alert_id}/snooze", HOUR))

    assert silenced(client, alert_id)
    assert not silenced(client, other)


def test_a_snooze_of_a_rule_silences_all_of_it(client: Client) -> None:
    first, second = fired(client), fired(client, host="ch2")
    over, other = fired(client, host="ch3"), fired(client, replace(DISK, name="Other"))
    resolved(client, over)

    until = good(client.post(f"/alerts/{first}/snooze", HOUR | {"scope": "rule"}))["snoozed_until"]

    assert [alert(client, one)["snoozed_until"] for one in (first, second)] == [until] * 2
    assert [alert(client, one)["snoozed_until"] for one in (over, other)] == [None] * 2
    assert silenced(client, second)
    assert silenced(client, fired(client, host="ch4"))
    assert not silenced(client, other)
    assert [events(client, one)[-1][0] for one in (first, second, over, other)] == [
        "snoozed", "snoozed", "fired", "fired",
    ]  # fmt: skip


def test_a_second_snooze_takes_the_place_of_the_first(client: Client) -> None:
    first, second = fired(client), fired(client, host="ch2")
    good(client.post(f"/alerts/{first}/snooze", {"duration_minutes": 600, "scope": "rule"}))
    client.time.now += 60

    shorter = good(client.post(f"/alerts/{first}/snooze", {"duration_minutes": 5}))

    [silence] = good(client.get("/silences"))
    assert silence["id"] == shorter["silence_id"]
    assert alert(client, first)["snoozed_until"] == shorter["snoozed_until"]
    assert alert(client, second)["snoozed_until"] is None
    assert not silenced(client, second)


@pytest.mark.parametrize("scope", ["alert", "rule"])
def test_to_delete_its_silence_ends_a_snooze(client: Client, scope: str) -> None:
    alert_id, other = fired(client), fired(client, host="ch2")
    good(client.post(f"/alerts/{other}/snooze", {"duration_minutes": 90}))
    snoozed = good(client.post(f"/alerts/{alert_id}/snooze", HOUR | {"scope": scope}))
    before = revision(client)

    good(client.delete(f"/silences/{snoozed['silence_id']}"))

    assert alert(client, alert_id)["snoozed_until"] is None
    assert not silenced(client, alert_id)
    assert silenced(client, other)
    assert revision(client) > before
    if scope == "alert":
        assert alert(client, other)["snoozed_until"] is not None


def test_a_snooze_that_has_ended_is_not_shown(client: Client) -> None:
    alert_id = fired(client)
    good(client.post(f"/alerts/{alert_id}/snooze", {"duration_minutes": 1}))

    client.time.now += 59
    assert alert(client, alert_id)["snoozed_until"]
    client.time.now += 1
    assert alert(client, alert_id)["snoozed_until"] is None
    assert good(client.get("/alerts"))[0]["snoozed_until"] is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"duration_minutes": 0},
        {"duration_minutes": 10081},
        {"duration_minutes": "60"},
        {**HOUR, "scope": "x"},
    ],
)
def test_a_wrong_snooze_is_refused(client: Client, body: dict[str, Any]) -> None:
    alert_id = fired(client)

    bad(client.post(f"/alerts/{alert_id}/snooze", body), 422, "validation_error")
    assert good(client.get("/silences")) == []


def test_every_silence_wakes_the_alerter(client: Client) -> None:
    seen = [revision(client)]
    matcher = {"label": "alertname", "value": "DiskUsage"}
    body = {"matchers": [matcher], "duration_minutes": 60, "by": "ada", "comment": "c"}
    made = good(client.post("/silences", body), 201)
    seen.append(revision(client))
    good(client.delete(f"/silences/{made['id']}"))
    seen.append(revision(client))

    assert seen == sorted(set(seen))


def test_many_people_at_once_are_all_answered(client: Client) -> None:
    """On PostgreSQL two who lock alerts in different orders would wait for each other, which is a 503."""
    found = [fired(client, host=f"ch{number}") for number in range(3)]
    strange: list[str] = []

    def act(number: int) -> None:
        mine = client.app.test_client()
        for turn in range(12):
            path = f"/api/v1/alerts/{found[(number + turn) % 3]}"
            mine.post(f"{path}/acknowledge")
            body = HOUR | {"scope": ("alert", "rule")[(number + turn) % 2]}
            answer = mine.post(f"{path}/snooze", json=body)
            if answer.status_code != 200:
                strange.append(answer.text)
                continue
            gone = mine.delete(f"/api/v1/silences/{answer.json['data']['silence_id']}")
            if gone.status_code not in (200, 404):
                strange.append(gone.text)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not strange
    assert good(client.get("/silences")) == []
    assert [alert(client, one)["snoozed_until"] for one in found] == [None] * 3

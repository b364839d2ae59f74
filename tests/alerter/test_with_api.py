"""What people do over the API reaches the alerter that runs beside it, both as processes on one store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.alerter.feeding import Feeder
from tests.alerter.test_killed import FULL, config, told
from tests.conftest import factory
from tests.servers.alerter import AlerterProcess
from tests.servers.api import ApiProcess
from tests.servers.process import wait_until
from tests.servers.slack import NO_SERVICE, OK, SlackStub


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    found = Feeder(tmp_path / "state")
    yield found
    found.close()


class Place:
    """An alerter and an API on one store, with one alert that was delivered."""

    def __init__(self, alerter: AlerterProcess, api: ApiProcess, feeder: Feeder, stub: SlackStub) -> None:
        self.alerter, self.api, self.feeder, self.stub = alerter, api, feeder, stub
        alerter.wait_for(alerter.is_ready, "the alerter is ready")
        feeder.disks({"disk1x0": FULL})
        wait_until(lambda: told(feeder) == {"disk1x0"}, 30, "the alert was delivered")

    def post(self, path: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.api.url}/api/v1{path}", json=body, timeout=30)

    def get(self, path: str) -> Any:
        return requests.get(f"{self.api.url}/api/v1{path}", timeout=30).json()["data"]

    @property
    def alert(self) -> str:
        (one,) = self.get("/alerts")
        return f"/alerts/{one['id']}"


@pytest.fixture
def place(tmp_path: Path, stub: SlackStub, feeder: Feeder) -> Iterator[Place]:
    settings = config(tmp_path, stub)
    alerters: Iterator[Callable[..., Any]] = factory(AlerterProcess, tmp_path)
    apis: Iterator[Callable[..., Any]] = factory(ApiProcess, tmp_path)
    for start_alerter, start_api in zip(alerters, apis, strict=True):
        yield Place(start_alerter(settings), start_api(settings), feeder, stub)


def test_an_escalation_and_a_test_are_sent_while_the_caller_waits(place: Place) -> None:
    before = len(place.stub.delivered)
    escalated = place.post(f"{place.alert}/escalate")
    assert escalated.status_code == 200, escalated.text
    assert escalated.json()["data"]["escalated_at"]
    tested = place.post("/settings/test-notification")
    assert (tested.status_code, tested.json()["data"]["sent"]) == (200, True)
    assert len(place.stub.delivered) == before + 2
    detail = place.get(place.alert)
    assert [(one["kind"], one["state"]) for one in detail["deliveries"]] == [
        ("firing", "delivered"),
        ("escalated", "delivered"),
    ]
    assert [one["kind"] for one in detail["events"]] == ["fired", "escalated"]


def test_a_channel_that_refuses_is_told_at_once_and_shown(place: Place) -> None:
    place.stub.default = NO_SERVICE
    answer = place.post(f"{place.alert}/escalate")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "delivery_failed")
    assert "404" in answer.json()["error"]["message"]
    (channel,) = place.get("/channels")
    assert channel["state"] == "unhealthy"
    place.stub.default = OK


def test_without_an_alerter_it_is_queued_and_said_so(place: Place) -> None:
    alert = place.alert
    place.alerter.stop()
    answer = place.post(f"{alert}/escalate")
    assert answer.status_code == 202
    assert "alerter" in answer.json()["data"]["reason"]
    place.alerter.start()
    wait_until(place.feeder.is_settled, 30, "it is sent when one runs")


def test_a_snoozed_alert_is_silent_until_its_silence_is_deleted(place: Place) -> None:
    assert place.post(f"{place.alert}/acknowledge", by="ann").json()["data"]["status"] == "acknowledged"
    snoozed = place.post(f"{place.alert}/snooze", duration_minutes=60, scope="rule").json()["data"]
    place.feeder.disks({"disk1x0": FULL, "disk2x0": FULL})
    wait_until(lambda: len(place.get("/alerts")) == 2, 30, "the second one fires")
    second = next(one for one in place.get("/alerts") if one["labels"]["disk"] == "disk2x0")
    assert second["silenced_by"] == snoozed["silence_id"]
    assert told(place.feeder) == {"disk1x0"}
    gone = requests.delete(f"{place.api.url}/api/v1/silences/{snoozed['silence_id']}", timeout=10)
    assert gone.ok
    wait_until(lambda: told(place.feeder) == {"disk1x0", "disk2x0"}, 30, "now it is sent")


def test_a_rule_shows_its_state_and_its_evaluations(place: Place) -> None:
    (rule,) = place.get("/alerts/rules")
    assert (rule["state"], rule["active_alerts"], rule["rule_type"]) == ("firing", 1, "file")
    detail = place.get(f"/alerts/rules/{rule['id']}")
    assert detail["evaluations"][0]["samples"] == 1
    place.feeder.disks({"disk1x0": 1.0})
    wait_until(lambda: place.get("/alerts/rules")[0]["state"] == "inactive", 30, "it is calm")

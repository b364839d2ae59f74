"""The drill says which step of an alert's life did not come about."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from clustersight.demo.child import DemoError, Stopped
from clustersight.demo.demo import Demo
from clustersight.demo.drill import Drill
from clustersight.demo.inbox import Inbox
from tests.servers.embedded import EmbeddedServer

WELL: Mapping[str, Any] = {
    "id": "al_1",
    "rule_name": "MutationFailing",
    "status": "active",
    "labels": {"cluster": "demo", "database": "demo", "table": "customers"},
    "summary": "1 mutations fail",
    "evidence": {"latest_fail_reason": "Code: 395. (masked)"},
    "fix_command": "KILL MUTATION WHERE database = 'demo' AND table = 'customers'",
    "resolve_reason": "recovered",
    "resolved_at": "2026-01-01T00:00:00Z",
}


class Scripted(Demo):
    """A demo whose API answers with one alert; `refuses` is what it says to an acknowledge."""

    alert: dict[str, Any]
    refuses: str

    def ask(self, path: str) -> Any:
        return [self.alert] if "history" in path else self.alert

    def tell(self, path: str, body: Mapping[str, Any]) -> Any:
        if self.refuses:
            raise DemoError(self.refuses)
        return {**self.alert, "status": self.alert.get("after", "acknowledged")}


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        yield server


def scripted(server: EmbeddedServer, inbox: Inbox, refuses: str = "", **changed: Any) -> Demo:
    demo = Scripted(server.url.rstrip("/"), "", "", "", inbox, Path(), ())
    host = demo.clickhouse_url.removeprefix("http://")
    object.__setattr__(demo, "alert", {**WELL, "host": host, **changed})
    object.__setattr__(demo, "refuses", refuses)
    return demo


def arrive(demo: Demo, *states: str) -> None:
    place = f"demo/{demo.clickhouse_url.removeprefix('http://')} demo.customers"
    for state in states:
        demo.inbox.put({"text": f"[{state}] MutationFailing on {place}: 1 mutations fail"})


def last(demo: Demo) -> str:
    return Drill(demo, threading.Event(), deadline_seconds=0.3).run()[-1].text


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"host": "another"}, "FAILED  an alert fired: after 0.3 s no active alert MutationFailing of demo."),
        ({"rule_name": "Other"}, "FAILED  an alert fired: after 0.3 s no active alert"),
        ({"labels": {"database": "demo", "table": "other"}}, "FAILED  an alert fired: after 0.3 s no active"),
        ({"evidence": None}, "FAILED  an alert fired: its evidence does not say why the mutation fails"),
        (
            {"evidence": {"latest_fail_reason": "Code: 395. demo: customer 500 cannot be rewritten"}},
            "FAILED  an alert fired: its evidence does not say why the mutation fails, or says too much",
        ),
        ({"fix_command": None}, "FAILED  an alert fired: its fix has no KILL MUTATION: None"),
        ({"after": "active"}, "FAILED  it was acknowledged: it is active after POST /api/v1/alerts/al_1/ack"),
        ({"refuses": "no"}, "FAILED  it was acknowledged: no"),
        (
            {"fix_command": "KILL MUTATION"},
            "FAILED  its fix heals: ClickHouse refuses it: Code: 62.",
        ),
        ({}, "FAILED  it resolved: after 0.3 s MutationFailing is not resolved"),
        ({"status": "resolved"}, "FAILED  its end was delivered: after 0.3 s no message [RESOLVED] Mutation"),
    ],
)
def test_the_step_that_fails_is_named(
    embedded: EmbeddedServer, inbox: Inbox, changed: dict[str, Any], line: str
) -> None:
    demo = scripted(embedded, inbox, **changed)
    arrive(demo, "WARNING")
    assert last(demo).startswith(line)


def test_a_message_that_does_not_arrive_is_missed(embedded: EmbeddedServer, inbox: Inbox) -> None:
    demo = scripted(embedded, inbox)
    inbox.put({"text": "[WARNING] MutationFailing on demo/elsewhere:1 demo.customers: 1 mutations fail"})
    assert last(demo).startswith("FAILED  it was delivered: after 0.3 s no message [WARNING] MutationFailing")


def test_when_all_is_well_every_step_is_shown(embedded: EmbeddedServer, inbox: Inbox) -> None:
    demo = scripted(embedded, inbox, status="resolved")
    arrive(demo, "WARNING", "RESOLVED")
    acts = Drill(demo, threading.Event(), deadline_seconds=0.3).run()
    assert len(acts) == 6
    assert all(act.ok for act in acts)


def test_it_stops_when_it_is_asked_to(embedded: EmbeddedServer, inbox: Inbox) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Stopped):
        Drill(scripted(embedded, inbox), stopped, deadline_seconds=60).run()

"""One alert's whole life, from the fault to its end, as whoever is on call would live it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from clustersight.demo.child import DemoError, Stopped
from clustersight.demo.demo import PAGE_TIMEOUT_SECONDS, Demo
from clustersight.demo.headline import headline

RULE = "MutationFailing"
TABLE = {"database": "demo", "table": "customers"}
# What throwIf() in the mutation ends with, and its text, which may hold personal data: it is masked.
REASON = "Code: 395."
MASKED = "demo: customer"
FIX = "KILL MUTATION"
POLL_SECONDS = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Act:
    """A step of it, and what was seen, or what was not."""

    name: str
    told: str
    ok: bool = True

    @property
    def text(self) -> str:
        """One line for a person."""
        return f"{'ok     ' if self.ok else 'FAILED '} {self.name}: {self.told}"


class Missed(Exception):
    """A step did not come about; the text says what is lacking."""


class Drill:
    """`run` goes through it once; each step waits at most `deadline_seconds`."""

    def __init__(self, running: Demo, stopped: threading.Event, deadline_seconds: float) -> None:
        self._running = running
        self._stopped = stopped
        self._deadline_seconds = deadline_seconds
        self._id = ""

    def run(self) -> tuple[Act, ...]:
        """The steps up to the first that fails. Raises Stopped, and DemoError when a process ends."""
        acts: list[Act] = []
        for name, step in self._steps():
            try:
                acts.append(Act(name, step()))
            except Missed as missed:
                return (*acts, Act(name, str(missed), ok=False))
        return tuple(acts)

    def _steps(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        return (
            ("an alert fired", self._fired),
            ("it was delivered", self._delivered),
            ("it was acknowledged", self._acknowledged),
            ("its fix heals", self._healed),
            ("it resolved", self._resolved),
            ("its end was delivered", self._ended),
        )

    def _fired(self) -> str:
        alert = self._wait(self._found, f"no active alert {RULE} of {'.'.join(TABLE.values())}")
        self._id = alert["id"]
        evidence = alert["evidence"] or {}
        reason = str(evidence.get("latest_fail_reason"))
        if REASON not in reason or MASKED in str(alert):
            raise Missed(f"its evidence does not say why the mutation fails, or says too much: {evidence}")
        if FIX not in (alert["fix_command"] or ""):
            raise Missed(f"its fix has no {FIX}: {alert['fix_command']}")
        return f"{alert['summary']}; evidence: {reason}"

    def _found(self) -> dict[str, Any] | None:
        """Of this server: a store that was kept may have those of an earlier one."""
        host = self._running.clickhouse_url.removeprefix("http://")
        alerts = self._running.ask("/alerts/history?status=active&limit=100") or []
        return next((one for one in alerts if one["host"] == host and _is_ours(one)), None)

    def _delivered(self) -> str:
        return self._message("WARNING")

    def _acknowledged(self) -> str:
        path = f"/alerts/{self._id}/acknowledge"
        try:
            status = self._running.tell(path, {})["status"]
        except DemoError as error:
            raise Missed(str(error)) from error
        if status != "acknowledged":
            raise Missed(f"it is {status} after POST /api/v1{path}")
        return f"POST /api/v1{path}"

    def _healed(self) -> str:
        command = self._alert()["fix_command"]
        url = self._running.clickhouse_url
        answer = requests.post(url, data=command.encode(), timeout=PAGE_TIMEOUT_SECONDS)
        if not answer.ok:
            raise Missed(f"ClickHouse refuses it: {answer.text.strip()}")
        return " ".join(command[command.index(FIX) :].split())

    def _resolved(self) -> str:
        alert = self._wait(self._over, f"{RULE} is not resolved")
        return f"{alert['resolve_reason']} at {alert['resolved_at']}"

    def _over(self) -> dict[str, Any] | None:
        alert = self._alert()
        return alert if alert["status"] == "resolved" else None

    def _ended(self) -> str:
        return self._message("RESOLVED")

    def _alert(self) -> dict[str, Any]:
        alert: dict[str, Any] | None = self._running.ask(f"/alerts/{self._id}")
        if alert is None:
            raise Missed(f"the API does not know alert {self._id} any more")
        return alert

    def _message(self, state: str) -> str:
        """What the inbox shows of the alert in this state."""

        def arrived() -> str | None:
            told = (headline(letter.payload) for letter in self._running.inbox.letters)
            place = f"{self._running.clickhouse_url.removeprefix('http://')} {'.'.join(TABLE.values())}"
            return next((one for one in told if one.startswith(f"[{state}] {RULE}") and place in one), None)

        return self._wait(arrived, f"no message [{state}] {RULE} in the inbox")

    def _wait(self, look: Callable[[], T | None], lacking: str) -> T:
        ends = time.monotonic() + self._deadline_seconds
        while (found := look()) is None:
            for child in self._running.children:
                child.check()
            if time.monotonic() > ends:
                raise Missed(f"after {self._deadline_seconds:g} s {lacking}")
            if self._stopped.wait(POLL_SECONDS):
                raise Stopped
        return found


def _is_ours(alert: dict[str, Any]) -> bool:
    return bool(alert["rule_name"] == RULE) and TABLE.items() <= alert["labels"].items()

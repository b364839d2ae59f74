"""Clients that make, change and delete through the API without a pause, and keep what was acknowledged."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import requests

from tests.servers.api import BASE

SILENCE = {"matchers": [{"label": "host", "value": "a"}], "duration_minutes": 600, "by": "w", "comment": "c"}
RULE = {"metric_key": "disk.usage_pct", "operator": ">", "threshold": 70.0, "severity": "warning"}
DAYS = range(1, 91)


class Writer(threading.Thread):
    """One client. `there` and `gone` are paths whose making or deletion was answered, `days` values of a
    setting.

    What was sent and not answered may have happened or not: it is in neither.
    """

    def __init__(self, url: str, name: str, *, clusters: bool = True, patient: bool = False) -> None:
        """`patient` clients go on when nobody answers."""
        super().__init__(daemon=True)
        self.there: set[str] = set()
        self.gone: set[str] = set()
        self.days: list[int] = []
        self.sent_days: list[int] = []
        self.statuses: Counter[int] = Counter()
        self.strange: list[str] = []
        self._url = url + BASE
        self._name = name
        self._patient = patient
        self._chance = random.Random(name)
        self._numbers = itertools.count()
        self._session = requests.Session()
        self._ended = threading.Event()
        self._steps: list[Callable[[], None]] = [self._silence, self._silence, self._rule, self._settings]
        self._steps += [self._cluster] if clusters else []

    @property
    def acknowledged(self) -> int:
        return len(self.there) + len(self.gone) + len(self.days)

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._chance.choice(self._steps)()
            except requests.RequestException:
                if not self._patient:
                    return

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, self._url + path, json=body, timeout=30)
        self.statuses[answer.status_code] += 1
        if answer.status_code not in (200, 201):
            self.strange.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            raise requests.RequestException(answer.text)
        return answer.json()["data"]

    def _make(self, path: str, body: dict[str, Any]) -> str:
        made = f"{path}/{self._ask('POST', path, body)['id']}"
        self.there.add(made)
        return made

    def _remove(self, path: str) -> None:
        self.there.discard(path)
        self._ask("DELETE", path)
        self.gone.add(path)

    def _silence(self) -> None:
        made = self._make("/silences", SILENCE)
        if self._chance.random() < 0.5:
            self._remove(made)

    def _rule(self) -> None:
        made = self._make("/alerts/rules", {**RULE, "name": f"{self._name} {next(self._numbers)}"})
        self._ask("PUT", made, {"threshold": 80.0})
        if self._chance.random() < 0.5:
            self._remove(made)

    def _settings(self) -> None:
        days = self._chance.choice(DAYS)
        self.sent_days.append(days)
        self._ask("PUT", "/settings", {"retention_raw_days": days})
        self.days.append(days)

    def _cluster(self) -> None:
        body = {
            "host": "127.0.0.1",
            "port": 1,
            "protocol": "http",
            "name": f"{self._name}{next(self._numbers)}",
        }
        # Nobody listens there, and each needs an address of its own.
        made = self._make("/clusters", {**body, "host": f"{body['name']}.invalid", "password": "hush"})
        self._ask("PUT", made, {"labels": {"a": "b"}})
        self._ask("GET", made)
        self._remove(made)

"""`clustersight rules reload`: a running alerter reads its rules again, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.commands.remote import RemoteError
from clustersight.commands.rules_reload import Alerter
from tests.conftest import factory
from tests.rules.commanding import rules, write
from tests.servers.alerter import AlerterProcess

RULE = "rules: [{alert: A, expr: server.up == 0}]\n"


@pytest.fixture
def alerter(tmp_path: Path) -> Iterator[AlerterProcess]:
    write(tmp_path / "rules" / "a.yaml", RULE)
    settings = {
        "collection": {"interval_sec": 5},
        "rules": {"builtin": False, "paths": [str(tmp_path / "rules")]},
    }
    for make in factory(AlerterProcess, tmp_path / "alerter"):
        process = make(settings)
        process.wait_for(process.is_ready, "ready")
        yield process


def test_a_reload_is_waited_for_and_a_bad_one_refused(tmp_path: Path, alerter: AlerterProcess) -> None:
    write(tmp_path / "rules" / "b.yaml", RULE.replace("A", "B"))
    done = rules("reload", "--wait", alerter.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("reloaded and evaluated: 2 rules, hash ")
    assert alerter.get("/-/status").json()["rules"] == 2
    late = rules("reload", "--wait", "--timeout", "0s", alerter.url)
    assert (late.exit_code, late.stderr) == (1, "no evaluation within 0 s\n")
    bad = write(tmp_path / "rules" / "b.yaml", RULE.replace("server.up", "server.upp"))
    refused = rules("reload", alerter.url)
    assert refused.exit_code == 1
    assert f"{bad}:1:" in refused.stderr
    assert "did you mean 'server.up'" in refused.stderr
    assert alerter.get("/-/status").json()["rules"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["nowhere"],
        ["http://u:p@h"],
        ["--timeout", "soon", "http://h"],
        ["--user", "u", "http://127.0.0.1:1"],
    ],
)
def test_a_wrong_call_is_64(wrong: list[str]) -> None:
    assert rules("reload", *wrong).exit_code == 64


def test_nobody_there_is_1() -> None:
    result = rules("reload", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr


class Told(Alerter):
    """An alerter that says this, one status after the other; its clock stands still."""

    def __init__(self, *statuses: dict[str, object]) -> None:
        super().__init__("http://h", None, lambda: 0.0, lambda _: None)
        object.__setattr__(self, "statuses", list(statuses))

    def status(self) -> dict[str, object]:
        return self.statuses.pop(0)  # type: ignore[attr-defined]


GOOD = {"last_reload_successful": True, "leads": True, "last_evaluation_seconds": 2.0}


def test_a_pass_that_began_before_the_reload_does_not_count() -> None:
    status = Told(
        GOOD | {"last_evaluation_at": None},
        GOOD | {"last_evaluation_at": 101.0},
        GOOD | {"last_evaluation_at": 102.0},
    ).wait(100.0, 60.0)
    assert status["last_evaluation_at"] == 102.0


def test_a_reload_that_was_refused_meanwhile_is_said_with_its_problems() -> None:
    with pytest.raises(RemoteError, match="a\nb"):
        Told({"last_reload_successful": False, "problems": ["a", "b"]}).wait(100.0, 60.0)


def test_one_that_stands_by_says_so() -> None:
    with pytest.raises(RemoteError, match="stands by for another one"):
        Told(GOOD | {"leads": False, "last_evaluation_at": None}).wait(100.0, 0.0)

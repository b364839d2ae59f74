"""kill -9 of the alerter at every step of a delivery: nothing is lost, and at most the message in flight
comes twice, counted by the stub and compared with the store."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerter.feeding import Feeder
from tests.alerter.harness import one_rule
from tests.conftest import factory
from tests.servers.alerter import AlerterProcess
from tests.servers.process import wait_until
from tests.servers.slack import Answer, Fault, Received, SlackStub

# Five in `make test`, fifty under load in `make soak` (issue 4, "Shown by").
ROUNDS = [(5, 6), pytest.param((50, 200), marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
FULL, CALM = 95.0, 10.0


@pytest.fixture
def alerter(tmp_path: Path) -> Iterator[Callable[..., AlerterProcess]]:
    yield from factory(AlerterProcess, tmp_path)


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    found = Feeder(tmp_path / "state")
    yield found
    found.close()


def config(folder: Path, stub: SlackStub, **more: Any) -> dict[str, Any]:
    """An alerter with one rule, which is evaluated each second, and one channel."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "rules.yaml").write_text(one_rule().replace("rules:", "interval: 1s\n  rules:", 1))
    return {
        "data_dir": str(folder / "state"),
        "collection": {"interval_sec": 5},
        "rules": {"builtin": False, "paths": [str(rules)]},
        "notify": {"allow_private": True, "channels": [{"name": "slack", "kind": "slack", "url": stub.url}]},
        **more,
    }


@pytest.mark.parametrize("load", ROUNDS)
def test_nothing_is_lost_and_only_the_message_in_flight_comes_twice(
    tmp_path: Path,
    stub: SlackStub,
    feeder: Feeder,
    alerter: Callable[..., AlerterProcess],
    load: tuple[int, int],
) -> None:
    rounds, alerts = load
    chance = random.Random(4)
    made: dict[str, float] = {}
    settings = config(tmp_path, stub)
    process = alerter(settings)
    for number in range(rounds):
        made |= {f"disk{number}x{n}": FULL for n in range(alerts)}
        feeder.disks(made)
        die_at_some_step(process, stub, number, chance)
        process.start()
    feeder.disks(made)
    wait_until(lambda: told(feeder) >= set(made) and feeder.is_settled(), 120, "every alert was delivered")
    received = [names(one) for one in stub.received if one.is_delivered]
    assert set(made) - set().union(*received) == set(), "lost"
    # What was in flight may have been read: also of that there is one at most for each kill.
    assert repetitions([names(one) for one in stub.received]) <= rounds
    assert {row.state for row in feeder.rows()} == {"delivered"}


def die_at_some_step(process: AlerterProcess, stub: SlackStub, number: int, chance: random.Random) -> None:
    """Before the first message, while it is in flight, at its answer, just after it, or a while later."""
    before = len(stub.received)
    step = number % 5
    if step == 1:
        stub.script(Answer(fault=Fault.HANG))
    if step == 0:
        time.sleep(chance.uniform(0.5, 2.5))  # wherever it is then
    else:
        wait_until(lambda: len(stub.received) > before, 30, "a message is sent")
        if step == 3:
            wait_until(lambda: stub.received[before].is_delivered, 10, "it is answered")
        if step == 4:
            time.sleep(chance.uniform(0.0, 0.05))
    process.kill()
    stub.release()


def names(received: Received) -> set[str]:
    """The disks that a message names."""
    return set(re.findall(r"disk\d+x\d+", str(received.body)))


def repetitions(received: list[set[str]]) -> int:
    """How many messages told what had been told."""
    known: set[str] = set()
    count = 0
    for one in received:
        count += bool(one & known)
        known |= one
    return count


def told(feeder: Feeder) -> set[str]:
    return {row.message["labels"]["disk"] for row in feeder.rows() if row.state == "delivered"}


def test_a_stop_repeats_nothing(
    tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Callable[..., AlerterProcess]
) -> None:
    process = alerter(config(tmp_path, stub))
    for number in range(3):
        feeder.disks({f"disk{n}x0": FULL for n in range(5 * (number + 1))})
        wait_until(lambda wanted=5 * (number + 1): len(told(feeder)) == wanted, 30, "told")
        process.stop()
        process.start()
    received = [names(one) for one in stub.received if one.is_delivered]
    assert repetitions(received) == 0


def test_after_a_thousand_deliveries_a_kill_repeats_at_most_one_message(
    tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Callable[..., AlerterProcess]
) -> None:
    """Alertmanager 0.25 repeated all 1000 (facts/alerting-engines.md 3.4)."""
    process = alerter(config(tmp_path, stub))
    feeder.disks({f"disk{n}x0": FULL for n in range(1000)})
    wait_until(lambda: len(told(feeder)) == 1000 and feeder.is_settled(), 90, "a thousand are delivered")
    before = len(stub.delivered)
    # Some tens of messages, at one a second after the burst.
    assert before <= 60
    process.kill()
    process.start()
    process.wait_for(process.is_ready, "it evaluates again")
    feeder.disks({f"disk{n}x0": FULL for n in range(1001)})
    wait_until(lambda: len(told(feeder)) == 1001, 30, "the next one is told")
    received = [names(one) for one in stub.received if one.is_delivered]
    assert repetitions(received) <= 1


def test_of_two_alerters_one_works_and_the_other_takes_over(
    tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Callable[..., AlerterProcess]
) -> None:
    first = alerter(config(tmp_path, stub))
    first.wait_for(first.is_ready, "the first one leads")
    second = alerter(config(tmp_path, stub))
    second.wait_for(lambda: "standby" in second.get("/-/ready").text, "the second one waits, and says so")
    feeder.disks({"disk1x0": FULL})
    wait_until(lambda: told(feeder) == {"disk1x0"}, 30, "told")
    first.kill()
    # spec/rules.md: within 30 s of its death.
    second.wait_for(second.is_ready, "the second one leads", timeout_seconds=30)
    feeder.disks({"disk1x0": FULL, "disk2x0": FULL})
    wait_until(lambda: told(feeder) == {"disk1x0", "disk2x0"}, 30, "told")
    received = [names(one) for one in stub.received if one.is_delivered]
    assert repetitions(received) == 0

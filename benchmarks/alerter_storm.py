"""1000 alerts of 1000 rules at once to one channel, and the same 1000 through Alertmanager."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import made_up_rules
from benchmarks.figures import Row
from benchmarks.passes import config
from benchmarks.progress import say
from clustersight.alerts.pace import BURST
from tests.alerter.feeding import CLUSTER, HOST, Feeder
from tests.servers.alerter import AlerterProcess
from tests.servers.alertmanager import Alertmanager
from tests.servers.process import wait_until
from tests.servers.slack import Received, SlackStub

# Issue 4, "Speed and memory": some tens of messages, one a second after the burst, none lost.
MESSAGES = 60.0
PER_SECOND = 1.0
LOST = 0.0
ALERTS = 1000
# Between the token and the arrival lie the rendering and a connection, on cores that are busy.
JITTER_SECONDS = 0.2
# Longer than the measurement: the disks are fed twice and then stay as they are.
INTERVAL_SECONDS = 3600
TOLD_SECONDS = 120.0


def measure(folder: Path) -> Iterator[Row]:
    with ExitStack() as stack:
        seconds, ours = _ours(folder, stack)
    with ExitStack() as stack:
        theirs = _alertmanager(folder, stack)
    storm = f"{ALERTS} alerts at once"
    yield f"{storm}: messages", "", [len(ours)], MESSAGES, [len(theirs)]
    yield f"{storm}: most within a second after the burst", "", [_most(ours)], PER_SECOND, [_most(theirs)]
    yield (
        f"{storm}: ahead of {BURST:g} and one a second",
        "",
        [_ahead(ours)],
        JITTER_SECONDS,
        [_ahead(theirs)],
    )
    yield f"{storm}: lost", "", [ALERTS - len(_named(ours))], LOST, [ALERTS - len(_named(theirs))]
    yield f"{storm}: from the first message to the last", "s", [_lasted(ours)], None, [_lasted(theirs)]
    yield f"{storm}: from their visit to the last message", "s", [seconds], None, ()


def _ours(folder: Path, stack: ExitStack) -> tuple[float, list[Received]]:
    say(f"alerter: {ALERTS} alerts at once")
    made_up_rules.write_rules(folder / "rules", ALERTS, "1s")
    feeder = Feeder(folder / "state")
    stack.callback(feeder.close)
    feeder.disks(made_up_rules.calm(ALERTS))
    stub = stack.enter_context(SlackStub())
    settings = config(folder / "state", folder / "rules", stub, INTERVAL_SECONDS)
    alerter = AlerterProcess(folder / "alerter", settings)
    stack.callback(alerter.stop)
    alerter.start()
    alerter.wait_for(alerter.is_ready, "it evaluates")
    fed = time.monotonic()
    feeder.disks(dict.fromkeys(made_up_rules.disks(ALERTS), 95.0))
    alerter.wait_for(feeder.is_settled, "all are told", TOLD_SECONDS)
    received = stub.received
    return received[-1].monotonic - fed, received


def _alertmanager(folder: Path, stack: ExitStack) -> list[Received]:
    say("alerter: the same through Alertmanager")
    # It gives no `text` of the message, which is not what is measured.
    stub = stack.enter_context(SlackStub(validates=False))
    settings: dict[str, Any] = {
        "route": {"receiver": "slack", "group_by": ["..."], "group_wait": "1s", "group_interval": "10s"},
        "receivers": [{"name": "slack", "slack_configs": [{"api_url": stub.url, "channel": "#alerts"}]}],
    }
    alertmanager = Alertmanager(folder / "alertmanager", settings)
    stack.callback(alertmanager.stop)
    alertmanager.start()
    alertmanager.post([_alert(disk) for disk in made_up_rules.disks(ALERTS)])
    wait_until(lambda: len(_named(stub.received)) >= ALERTS, TOLD_SECONDS, "all are told")
    return stub.received


def _alert(disk: str) -> dict[str, Any]:
    name = made_up_rules.rule_name(disk)
    labels = {"alertname": name, "cluster": CLUSTER, "host": HOST, "disk": disk, "severity": "warning"}
    return {"labels": labels, "annotations": {"summary": f"Disk {disk} is at 95%"}}


def _named(received: Sequence[Received]) -> set[str]:
    return {disk for one in received if one.is_delivered for disk in re.findall(rb"disk\d{5}x", one.raw)}


def _lasted(received: Sequence[Received]) -> float:
    return received[-1].monotonic - received[0].monotonic


def _ahead(received: Sequence[Received]) -> float:
    """By how many messages more came than a full bucket lets through, at most; what was late may catch up."""
    began = received[0].monotonic
    allowed = (BURST + PER_SECOND * (one.monotonic - began) for one in received)
    return max(0.0, *(number - most for number, most in enumerate(allowed, 1)))


def _most(received: Sequence[Received]) -> int:
    """Messages in the fullest second of those after the first few."""
    times = [one.monotonic for one in received[int(BURST) :]]
    second = 1.0 - JITTER_SECONDS
    return max((sum(start <= at < start + second for at in times) for start in times), default=0)

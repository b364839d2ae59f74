"""10 000 rules that fire while Slack hangs, and while it answers: what a pass takes, in turns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from benchmarks import made_up_rules
from benchmarks.figures import Row
from benchmarks.passes import Passes, config, has_fired
from benchmarks.progress import say
from tests.alerter.feeding import Feeder
from tests.servers.alerter import AlerterProcess
from tests.servers.slack import HANG, OK, SlackStub

# facts/alerting-engines.md 6.3: unchanged is within a tenth.
UNCHANGED = 1.1
RULES = 10_000
EVERY = "1s"
# Longer than the measurement: the disks are fed once and then stay as they are.
INTERVAL_SECONDS = 3600
ROUNDS = 2
PASSES = 10
START_SECONDS = 120.0
PASS_SECONDS = 60.0


def measure(folder: Path) -> Iterator[Row]:
    """A backlog of thousands of alerts waits all the time."""
    with ExitStack() as stack:
        answering, hanging = _measured(folder, stack)
    name = f"pass of {RULES} rules while Slack hangs (peer: while it answers)"
    p99, usual = _p99(hanging), _p99(answering)
    yield f"{name}, median", "s", [median(hanging)], None, [median(answering)]
    yield f"{name}, p99", "s", [p99], UNCHANGED * usual, [usual]


def _measured(folder: Path, stack: ExitStack) -> tuple[list[float], list[float]]:
    say(f"alerter: {RULES} rules, Slack answers and hangs, {ROUNDS} times {PASSES} passes each")
    made_up_rules.write_rules(folder / "rules", RULES, EVERY)
    feeder = Feeder(folder / "state")
    stack.callback(feeder.close)
    feeder.disks(made_up_rules.usage(RULES, random.Random(4)))
    stub = stack.enter_context(SlackStub())
    settings = config(folder / "state", folder / "rules", stub, INTERVAL_SECONDS)
    alerter = AlerterProcess(folder / "alerter", settings)
    stack.callback(alerter.stop)
    alerter.start()
    alerter.wait_for(lambda: has_fired(alerter, RULES), "all rules fire", START_SECONDS)
    passes = stack.enter_context(Passes(alerter))
    answering: list[float] = []
    hanging: list[float] = []
    for _ in range(ROUNDS):
        stub.default = OK
        stub.release()
        answering += _some(passes)
        stub.script()  # what hangs from now on is not released yet
        stub.default = HANG
        before = len(stub.received)
        stub.wait_for(lambda all_, before=before: len(all_) > before and all_[-1].status is None, 30)
        hanging += _some(passes)
    return answering, hanging


def _some(passes: Passes) -> list[float]:
    passes.wait(2, PASS_SECONDS)  # the change is over
    return [one.seconds for one in passes.wait(PASSES, PASS_SECONDS)]


def _p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100, method="inclusive")[-1]

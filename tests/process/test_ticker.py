"""A step of the wall clock must not stop collection (schedule alone would sleep for an hour)."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
import schedule

from clustersight.collection import Clock
from clustersight.process.ticker import Ticker


class SteppableClock:
    """Both clocks in one hand; schedule reads the wall through the module's datetime."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 50.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> SteppableClock:
    hands = SteppableClock()

    class Now(dt.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.fromtimestamp(hands.wall, tz)

    monkeypatch.setattr(schedule.datetime, "datetime", Now)
    return hands


def ticks_in(ticker: Ticker, hands: SteppableClock, ticks: list[float], seconds: int) -> int:
    before = len(ticks)
    for _ in range(seconds * 4):
        hands.advance(0.25)
        ticker.step()
    return len(ticks) - before


@pytest.mark.parametrize("step", [-3600.0, 3600.0, -86400.0 * 365])
def test_collection_goes_on_after_a_step_of_the_clock(hands: SteppableClock, step: float) -> None:
    ticks: list[float] = []
    ticker = Ticker(lambda: ticks.append(hands.monotonic), hands.clock())
    assert ticks_in(ticker, hands, ticks, 10) >= 9

    hands.wall += step

    assert ticks_in(ticker, hands, ticks, 10) >= 8


def test_schedule_alone_would_stop(hands: SteppableClock) -> None:
    ticks: list[float] = []
    alone = schedule.Scheduler()
    alone.every(1).seconds.do(lambda: ticks.append(1.0))

    hands.wall -= 3600
    for _ in range(40):
        hands.advance(0.25)
        alone.run_pending()

    assert ticks == []


def test_a_slew_is_no_step(hands: SteppableClock, caplog: pytest.LogCaptureFixture) -> None:
    ticker = Ticker(lambda: None, hands.clock())
    for _ in range(40):
        hands.wall += 0.05
        hands.advance(0.25)
        ticker.step()

    assert "stepped" not in caplog.text


def test_a_tick_that_fails_is_not_the_last(hands: SteppableClock, caplog: pytest.LogCaptureFixture) -> None:
    ticks: list[float] = []

    def fail() -> None:
        ticks.append(hands.monotonic)
        raise RuntimeError("oops")

    ticker = Ticker(fail, hands.clock())

    assert ticks_in(ticker, hands, ticks, 5) >= 4
    assert "a tick failed" in caplog.text


def test_run_ends_when_it_is_stopped() -> None:
    hands = SteppableClock()
    ticker = Ticker(lambda: None, hands.clock())
    thread = threading.Thread(target=ticker.run)
    thread.start()

    ticker.stopped = True
    thread.join(5)

    assert not thread.is_alive()

"""Counting wrong tokens: exact, bounded in memory, the same for all processes."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.attempts import WINDOW_SECONDS, Attempts


@given(st.integers(1, 20), st.lists(st.floats(0.001, 30), max_size=60))
def test_refuses_as_the_definition_says(limit: int, pauses: list[float]) -> None:
    attempts, now, seen = Attempts(limit), 1000.0, []
    for pause in pauses:
        now += pause
        within = [at for at in seen if at > now - WINDOW_SECONDS]

        wait = attempts.wrong("10.0.0.1", now)

        assert (wait > 0) is (len(within) >= limit)
        seen.append(now)


def test_waiting_as_long_as_told_is_enough() -> None:
    attempts = Attempts(3)
    for second in range(3):
        attempts.wrong("10.0.0.1", 1000.0 + second)
    wait = attempts.wrong("10.0.0.1", 1003.0)

    assert wait == pytest.approx(57.0)


@pytest.mark.parametrize("limit", [1, 10, 10_000])
def test_memory_is_bounded_and_an_attack_from_everywhere_forgets_no_recent_one(limit: int) -> None:
    attempts = Attempts(limit)
    for number in range(2000):
        attempts.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1000.0 + number)

    assert attempts._memory.nbytes <= 4_100_000
    for _ in range(limit):
        attempts.wrong("192.0.2.1", 4000.0)
    assert attempts.wrong("192.0.2.1", 4000.0) > 0


@pytest.mark.parametrize("address", ["", "unix", "::ffff:10.0.0.1", "fe80::1%eth0"])
def test_any_address_is_counted(address: str) -> None:
    attempts = Attempts(1)

    assert attempts.wrong(address, 1000.0) == 0
    assert attempts.wrong(address, 1001.0) > 0


def test_a_fork_counts_with_its_parent() -> None:
    attempts = Attempts(2)
    attempts.wrong("10.0.0.1", 1000.0)
    child = os.fork()
    if not child:
        attempts.wrong("10.0.0.1", 1000.5)
        os._exit(0)
    os.waitpid(child, 0)

    assert attempts.wrong("10.0.0.1", 1001.0) > 0

"""kill -9 in the middle of writes: the store opens, is whole, and has every write that was acknowledged."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from clustersight.store import maintenance, revisions, settings
from clustersight.store.database import Database
from clustersight.store.secrets import SecretBox
from tests.databases import TEMPLATE
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import wait_until
from tests.store.conftest import Program

Start = Callable[..., Program]
ENDLESS = 1_000_000
# Five in `make test`, fifty in `make soak` (issue: Shown by).
ROUNDS = [5, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(900)])]


def box() -> SecretBox:
    return SecretBox("a key for a store without secrets")


def run_until(programs: list[Program], acknowledged: int) -> None:
    """Let each program acknowledge so many writes."""
    wait_until(lambda: all(len(p.lines) >= acknowledged for p in programs), 60, "rows are written")


def assert_whole(database: Database, acknowledged: set[str], writers: int) -> None:
    report = maintenance.check(database, box)
    assert report.ok, report
    with database.read() as db:
        there = settings.read(db)
        changes = revisions.read(db)
    assert acknowledged <= set(there)
    # Of each writer at most the one that it had no time to acknowledge.
    assert len(there) <= len(acknowledged) + writers
    # No half of a transaction.
    assert changes == len(there)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_writers_are_killed(url: str, start: Start, rounds: int) -> None:
    chance = random.Random(1)
    acknowledged: set[str] = set()
    for number in range(rounds):
        names = [f"{writer}{number}" for writer in "ab"]
        programs = [start("write", url, name, ENDLESS) for name in names]
        run_until(programs, chance.randint(1, 40))
        # Both at once or one after the other; the second goes on beside the wreck of the first.
        programs[0].kill()
        if chance.random() < 0.5:
            run_until(programs[1:], len(programs[1].lines) + chance.randint(1, 20))
        programs[1].kill()
        acknowledged |= {line for program in programs for line in program.lines}
        with Database(url) as database:
            assert_whole(database, acknowledged, writers=2 * (number + 1))
    assert len(acknowledged) > rounds


@pytest.mark.parametrize("rounds", ROUNDS)
def test_postgresql_is_killed(migrated_postgresql: PostgreSQL, start: Start, rounds: int) -> None:
    chance = random.Random(2)
    server = migrated_postgresql
    acknowledged: set[str] = set()
    with Database(server.database("killed", template=TEMPLATE)) as database:
        for number in range(rounds):
            program = start("write", server.url("killed"), f"a{number}", ENDLESS)
            run_until([program], chance.randint(1, 40))
            server.kill()
            ended = program.wait()
            server.start()
            assert (ended.code, ended.errors.count("\n")) == (1, 1)
            assert ended.errors.startswith("Unavailable: the store ")
            acknowledged |= set(program.lines)
            assert_whole(database, acknowledged, writers=number + 1)
    server.drop("killed")

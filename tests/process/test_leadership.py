"""Who leads, who has lost it, and who is called dead: only a process of this place that is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from clustersight.process import leadership
from clustersight.process.leadership import Leadership
from clustersight.store import leases
from clustersight.store.database import Database

NOW = 1_700_000_000.0


def holder(**changes: str) -> str:
    names = ("host", "place", "pid", "began", "random")
    parts = dict(zip(names, leadership.identity().split(":"), strict=True)) | changes
    return ":".join(parts[name] for name in names)


def test_a_living_process_is_not_dead() -> None:
    assert not leadership.is_dead(holder())


def test_a_process_that_ended_is_dead_also_when_its_number_is_used_again() -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()

    assert leadership.is_dead(holder(pid=str(ended.pid), began="1"))
    assert leadership.is_dead(holder(pid=str(os.getpid()), began="1"))


def test_of_another_machine_or_container_nothing_is_known() -> None:
    assert not leadership.is_dead(holder(place="elsewhere", pid="999999", began="1"))
    assert not leadership.is_dead("nonsense")
    assert not leadership.is_dead("host:999999:abcd")


def leading(database: Database, name: str = "alerter") -> Leadership:
    found = Leadership(database, name)
    found.renew(NOW, 0.0)
    return found


def confirm(found: Leadership, database: Database) -> bool:
    with database.begin() as db:
        return found.confirm(db, NOW + 1)


def test_each_kind_of_process_has_a_lease_of_its_own(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    first, second, other = leading(database), leading(database), leading(database, "exporter")

    assert (first.leads, second.leads, other.leads) == (True, False, True)
    assert "this alerter leads" in caplog.text
    assert "standby: another alerter works on this store" in caplog.text
    assert "this exporter leads" in caplog.text


def test_who_leads_is_confirmed_within_a_transaction(database: Database) -> None:
    first, second = leading(database), leading(database)

    assert confirm(first, database)
    assert not confirm(second, database)
    assert first.leads


def test_who_slept_while_another_led_has_lost_it_also_when_that_one_is_gone(
    database: Database, another: Callable[[], Database]
) -> None:
    first = leading(database)
    with another().begin() as db:
        leases.release(db, "alerter", first.holder)
        assert leases.take(db, "alerter", "b", leases.clock(db, NOW), 20) == "b"
        leases.release(db, "alerter", "b")

    assert not confirm(first, database)
    assert not first.leads
    first.renew(NOW + 2, 2.0)
    assert first.leads
    assert confirm(first, database)


def test_a_lease_that_ran_out_and_was_not_taken_is_still_held(database: Database) -> None:
    first = leading(database)
    with database.begin() as db:
        leases.take(db, "alerter", first.holder, leases.clock(db, NOW) - 100, 20)

    assert confirm(first, database)
    second = leading(database)
    assert second.holder == first.holder

"""Who is called dead: only a process of this very place that is no longer there."""

from __future__ import annotations

import os
import subprocess
import sys

from exporter import leadership


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

"""The supervisor with programs of a few lines: output, strangers' ends, a program that is not there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.process import wait_until

DRIVER = """
import ctypes, sys, time
from clustersight import logs
from clustersight.supervising.child import Program
from clustersight.supervising.output import take_stderr
from clustersight.supervising.supervisor import Supervisor
take_stderr()
logs.configure()
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: as process 1 it gets the orphans
programs = [Program(f"p{number}", ["sh", "-c", text]) for number, text in enumerate(sys.argv[2:])]
clock = (lambda: 0.0) if sys.argv[1] == "frozen" else time.monotonic
supervisor = Supervisor(programs, clock, 1000.0 if sys.argv[1] == "frozen" else float(sys.argv[1]))
supervisor.run()
sys.exit(supervisor.refusal or 0)
"""
Start = Callable[..., "Running"]


class Running:
    """A supervisor over shell scripts."""

    def __init__(self, output: Path, *scripts: str, stop_seconds: float | str = 1) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, str(stop_seconds), *scripts],
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
            )

    @property
    def text(self) -> str:
        return self._output.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text, 20, f"{text!r} in the output")

    def children(self) -> list[str]:
        """The states of its children, as in proc(5)."""
        pids = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def begin(*scripts: str, stop_seconds: float | str = 1) -> Running:
        started.append(Running(tmp_path / f"output{len(started)}", *scripts, stop_seconds=stop_seconds))
        return started[-1]

    yield begin
    for running in started:
        running.process.kill()
        running.process.wait()


def test_lines_of_several_are_whole_also_the_last_one(start: Start) -> None:
    """Written in two pieces each, so that a plain shared stream would mix them."""
    talk = (
        "for i in $(seq 300); do printf 'begin %s '; printf 'end\\n'; done; printf unfinished; exec sleep 60"
    )
    running = start(talk.replace("%s", "a"), talk.replace("%s", "b"))
    wait_until(lambda: running.text.count("end\n") >= 600, 20, "all lines")
    assert running.end() == 0

    said = [line for line in running.text.splitlines() if "Z INFO" not in line]
    assert set(said) == {"begin a end", "begin b end", "unfinished"}
    assert said.count("unfinished") == 2


def test_the_ends_of_orphans_are_taken(start: Start) -> None:
    running = start("(sh -c 'echo orphan' &) ; echo up; exec sleep 60")
    running.wait_for("orphan")

    wait_until(lambda: running.children() == ["S"], 20, "no zombie is left")


def test_what_a_dead_child_started_ends_with_it(start: Start) -> None:
    """Else a worker of the API would hold its address, and the new one could not start."""
    running = start("sleep 1000 & echo worker $!; wait")
    running.wait_for("worker")
    found = re.search(r"pid=(\d+)[^w]*worker (\d+)", running.text)
    assert found is not None
    subprocess.run(["kill", "-KILL", found[1]], check=True)

    running.wait_for("deaths=1")
    wait_until(lambda: not Path(f"/proc/{found[2]}").exists(), 20, "the worker is gone")


def test_who_ignores_sigterm_is_killed(start: Start) -> None:
    running = start("trap '' TERM; echo deaf; while :; do sleep 0.1; done", "exec sleep 60")
    running.wait_for("deaf")

    assert running.end() == 0
    assert "killed, since it did not end in time process=p0" in running.text
    assert 'ended process=p1 how="signal SIGTERM"' in running.text


def test_a_second_signal_kills_at_once(start: Start) -> None:
    running = start("trap 'echo asked' TERM; echo deaf; while :; do sleep 0.1; done", stop_seconds=1000)
    running.wait_for("deaf")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("asked")

    assert running.end() == 0


def test_a_reload_starts_at_once_what_waits(start: Start, tmp_path: Path) -> None:
    """Whoever repaired it does not wait for a minute. Here time stands still: no wait would ever end."""
    running = start(f"[ -e {tmp_path}/repaired ] && exec sleep 60; exit 3", stop_seconds="frozen")
    running.wait_for("exit status 3; it is started again")
    (tmp_path / "repaired").touch()
    running.process.send_signal(signal.SIGHUP)

    wait_until(lambda: running.children() == ["S"], 20, "it runs")


def test_a_reload_ends_nobody_who_is_still_starting(start: Start) -> None:
    """`sleep` takes no signals, as a Python that still reads its modules."""
    running = start("echo up; exec sleep 60", stop_seconds="frozen")
    running.wait_for("up\n")
    for _ in range(3):
        running.process.send_signal(signal.SIGHUP)
    running.wait_for("reloading")

    assert running.end() == 0
    assert "it is started again" not in running.text


def test_a_reader_that_sleeps_holds_nobody_up(tmp_path: Path) -> None:
    """As a pager does, or the shipper of a container's log that hangs."""
    done = tmp_path / "done"
    script = f"seq 100000 | sed s/$/xxxxxxxxxxxxxxxxxxxxxxxx/; touch {done}; echo the end; exec sleep 60"
    command = [sys.executable, "-c", DRIVER, "1", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        try:
            wait_until(done.exists, 20, "all is written, though nobody reads")
            assert os.read(process.stderr.fileno(), 1 << 16)  # it wakes up
            process.send_signal(signal.SIGTERM)
            assert b" bytes were lost here: nobody read them in time\n" in process.stderr.read()
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_who_refuses_to_start_stops_all(start: Start) -> None:
    running = start("echo 'x.yaml:1:1: wrong' >&2; exit 1", "exec sleep 60")

    assert running.process.wait(20) == 1
    assert "p0 cannot start (exit status 1); its message stands above" in running.text
    assert running.text.index("wrong") < running.text.index("cannot start")


def test_what_is_no_program_is_tried_again(start: Start) -> None:
    """127 is the shell's "not found": no refusal of ours, so it may pass."""
    running = start("exec nowhere-to-be-found")

    running.wait_for("it is started again")
    assert running.end() == 0

"""`clustersight up` as users run it: three real processes under one parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from tests.conftest import running
from tests.servers.ours import OurProcess
from tests.servers.process import free_port

NAMES = ("exporter", "alerter", "api")


class UpProcess(OurProcess):
    """All three on free ports."""

    def __init__(self, folder: Path) -> None:
        self.ports = {name: free_port() for name in NAMES}
        super().__init__(folder, {name: {"listen": f"127.0.0.1:{port}"} for name, port in self.ports.items()})

    def command(self) -> Sequence[str]:
        return [sys.executable, "-P", "-m", "clustersight.commands.up", "--config", str(self.file)]

    def ready(self) -> bool:
        return all(self.ask(name, "/-/healthy").ok for name in NAMES)

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def child(self, name: str) -> int:
        return next(pid for pid in self.children() if f"\0-m\0{name}\0" in command_of(pid))

    @property
    def output(self) -> str:
        return (self.folder / "output.log").read_text()

    def ask(self, name: str, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=10)

    def terminate(self) -> int:
        """The exit status after a SIGTERM to it alone, as from Docker and systemd's main process."""
        assert self._process is not None
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(20)


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def healthy(file: Path, *what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "clustersight.commands.healthy", "--config", str(file), *what]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def in_session(pids: list[int]) -> list[int]:
    """The processes of these sessions: children, and workers of theirs."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) in pids and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpProcess]:
    """One for all tests that leave it running."""
    process = UpProcess(tmp_path_factory.mktemp("up"))
    with running(process):
        yield process


def test_one_that_is_killed_is_started_again(up: UpProcess) -> None:
    """The API, whose workers would hold its address for a while after a kill -9 of their parent."""
    before = up.child("api")
    os.kill(before, signal.SIGKILL)

    up.wait_for(lambda: up.ask("api", "/-/healthy").ok and up.child("api") != before, "a new API")
    assert "api ended by itself, signal SIGKILL; it is started again in_seconds=1.0" in up.output
    assert in_session([before]) == []


def test_sighup_reloads_all_three(up: UpProcess) -> None:
    before = up.output.count("configuration reloaded")
    up.wait_for(up.ready, "all three take signals")
    os.kill(up.pid, signal.SIGHUP)

    up.wait_for(lambda: up.output.count("configuration reloaded") == before + 3, "three reloads")


def test_healthy_names_who_is_not(up: UpProcess) -> None:
    found = healthy(up.file, f"http://127.0.0.1:{free_port()}", *NAMES)

    assert found.returncode == 1
    assert found.stdout.splitlines() == [f"{name}: healthy" for name in NAMES]
    assert "no answer" in found.stderr
    assert found.stderr.count("\n") == 1


def test_sigterm_stops_all(tmp_path: Path) -> None:
    process = UpProcess(tmp_path)
    with running(process):
        children = process.children()
        assert len(children) == 3
        assert process.terminate() == 0

        assert in_session(children) == []
        assert process.output.count('how="exit status 0"') == 3


class SilentProcess(UpProcess):
    """The same as a daemon may be started: without standard input and outputs."""

    def command(self) -> Sequence[str]:
        return ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *super().command()]


def test_it_needs_no_standard_error(tmp_path: Path) -> None:
    process = SilentProcess(tmp_path)
    with running(process):
        assert process.terminate() == 0

        assert process.output == ""


def test_nobody_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    process = UpProcess(tmp_path)
    with running(process):
        children = process.children()
        assert len(in_session(children)) > 3  # the API's workers too
        os.kill(process.pid, signal.SIGKILL)

        process.wait_for(lambda: in_session(children) == [], "all children and workers have ended")


def run_up(file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "clustersight.commands.up", "--config", str(file)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_wrong_configuration_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "clustersight.yaml"
    file.write_text("collection: {interval_sec: soon}\napi: {listen: nowhere}\n")
    found = run_up(file)

    assert found.returncode == 1
    assert [line.split(": ")[0] for line in found.stderr.splitlines()] == [f"{file}:1:28", f"{file}:2:15"]

"""`clustersight demo` as a user runs it: real processes, and none of them left behind."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from clustersight.commands.demo import demo
from clustersight.demo.child import environment
from clustersight.demo.faults import LATER, faults
from clustersight.demo.once import once
from clustersight.demo.options import Options
from clustersight.demo.progress import Progress
from clustersight.panels import ALL
from clustersight.settings.listen import parse_listen
from tests.servers.demo import FREE_PORT, LISTEN_ON_FREE_PORTS
from tests.servers.process import wait_until
from tests.servers.prometheus import promtool
from tests.servers.zookeeper import ZooKeeper

COMMAND = (sys.executable, "-m", "clustersight.commands.demo")
# What the issue promises, after installation.
ONCE_SECONDS = 120
PROCESSES = {"clustersight.demo.server", "exporter", "alerter", "api"}
# About a minute, and as much again for a busy machine.
ALERT_SECONDS = 120
LIFE = [
    "an alert fired",
    "it was delivered",
    "it was acknowledged",
    "its fix heals",
    "it resolved",
    "its end was delivered",
]


def processes(folder: Path) -> dict[str, int]:
    """{module: pid} of the demo's children that work in the folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        words = command_line(entry) if entry.name.isdecimal() else []
        if any(word.startswith(str(folder)) for word in words) and "-P" in words:
            found[words[words.index("-m") + 1]] = int(entry.name)
    return found


def command_line(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The demo's folder; what still works in it afterwards is ended, and fails the test."""
    folder = tmp_path / "it's a demo"
    yield folder
    left = processes(folder)
    for pid in left.values():
        os.kill(pid, signal.SIGKILL)
    assert not left


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--once", *arguments], capture_output=True, text=True, timeout=ONCE_SECONDS, check=False
    )


class Running:
    """A demo in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = folder.parent / "errors.txt"
        command = [*COMMAND, "--path", str(folder), *LISTEN_ON_FREE_PORTS, "--json"]
        # A file, since it may say more than fits into a pipe that nobody reads.
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)

    def ready(self) -> dict[str, Any]:
        assert self.process.stdout
        return dict(json.loads(self.process.stdout.readline()))

    def end(self) -> tuple[int, str]:
        """Wait for its end; its exit status and what it said on standard error."""
        self.process.communicate(timeout=60)
        return self.process.returncode, self.said()

    def said(self) -> str:
        return self.errors.read_text(encoding="utf-8")


def test_once_shows_every_panel_and_can_run_again_in_its_folder(folder: Path) -> None:
    first = check("--path", str(folder))
    assert first.returncode == 0, first.stdout + first.stderr
    shown = [line.split()[0] for line in first.stdout.splitlines() if line]
    assert shown[: len(ALL) + 1] == ["panel", *(panel.name for panel in ALL)]
    assert "FAILED" not in first.stdout
    stages = [line.split(" ... ")[0] for line in first.stderr.splitlines() if " ... " in line]
    assert stages[:5] == [
        "ClickHouse 26.9, embedded, starts",
        "tables and faults are made",
        "exporter starts",
        "alerter starts",
        "API starts",
    ]
    # The messages are lines of the terminal too, in their order.
    arrived = re.findall(r"^\d\d:\d\d:\d\d  \[(\w+)\] MutationFailing on demo/", first.stderr, re.MULTILINE)
    assert arrived == ["WARNING", "RESOLVED"]
    assert not processes(folder)
    second = check("--path", str(folder), "--json")
    report = json.loads(second.stdout)
    assert (second.returncode, report["ok"]) == (0, True)
    assert [line["panel"] for line in report["panels"]] == [panel.name for panel in ALL]
    assert all(one["ok"] for one in report["checks"])
    assert [(one["name"], one["ok"]) for one in report["alert"]] == [(name, True) for name in LIFE]
    assert "KILL MUTATION WHERE database = 'demo' AND table = 'customers'" in report["alert"][3]["told"]


def test_promtool_has_nothing_to_say_of_the_demos_page(folder: Path) -> None:
    demo = Running(folder)
    try:
        url = demo.ready()["exporter"]
        wait_until(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, 30, "every node was visited")
        page = requests.get(f"{url}/metrics", timeout=5).text
    finally:
        demo.process.terminate()
        demo.end()
    answer = promtool("check", "metrics", input=page)
    assert "clickhouse_mutations_failing{" in page
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_once_with_zookeeper_sees_the_read_only_replicas(folder: Path, zookeeper: ZooKeeper) -> None:
    done = check("--path", str(folder), "--zookeeper", zookeeper.address)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      a read-only replica: clickhouse_replica_readonly{" in done.stdout
    unsupported = [line for line in done.stdout.splitlines() if "unsupported" in line]
    assert all("ddl-queue" in line for line in unsupported), unsupported
    assert "was killed" not in done.stderr
    assert "[CRITICAL] ReplicaReadonly: 2 alerts (2 critical) in demo" in done.stderr


# `demo --once` follows an alert from its fault to its end in `make test`; this one waits for all of them.
@pytest.mark.soak
def test_the_faults_fire_within_a_minute(folder: Path) -> None:
    """What the table of the demo promises of each, on the page and on the terminal."""
    rules = {fault.alert for fault in (*faults(zookeeper=False), LATER)} - {""}
    demo = Running(folder)
    try:
        told = demo.ready()
        arrived = f"{told['inbox']}/messages.json"
        wait_until(lambda: rules <= rules_of(arrived), ALERT_SECONDS, f"{rules} have arrived")
        page = requests.get(told["inbox"], timeout=10).text
        assert all(f"] {rule}</h2>" in page for rule in rules)
    finally:
        demo.process.terminate()
        code, errors = demo.end()
    assert code == 0, errors
    assert all(f"] {rule} on demo/" in errors for rule in rules)


def rules_of(url: str) -> set[str]:
    """The rules that messages of one alert tell of."""
    texts = [one["message"]["text"] for one in requests.get(url, timeout=10).json()]
    return {text.split()[1] for text in texts}


def test_a_fault_that_is_not_there_fails_the_check(folder: Path) -> None:
    options = Options(
        parse_listen(FREE_PORT),
        parse_listen(FREE_PORT),
        path=folder,
        interval_seconds=5,
        tier2_every=1,
        skip=frozenset({"detach a part", "fail a mutation"}),
    )
    report = once(options, Progress(io.StringIO()), deadline_seconds=15)
    assert report
    assert not report.ok
    lacking = [one.fault.name for one in report.checks if not one.ok]
    assert lacking == ["a mutation that fails for good", "a detached part"]
    assert "FAILED  a detached part: no clickhouse_detached_parts{" in report.text
    line = "FAILED  an alert fired: after 15 s no active alert MutationFailing of demo.customers"
    assert report.text.splitlines()[-1] == line
    assert not processes(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all(folder: Path, number: signal.Signals) -> None:
    running = Running(folder)
    told = running.ready()
    assert told["exporter"].startswith("http://127.0.0.1:")
    assert requests.get(f"{told['api']}/api/v1/health", timeout=10).json()["error"] is None
    assert set(processes(folder)) == PROCESSES
    running.process.send_signal(number)
    code, errors = running.end()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert not processes(folder)


def test_a_signal_during_the_start_stops_all(folder: Path) -> None:
    running = Running(folder)
    wait_until(lambda: processes(folder), 30, "the server starts")
    running.process.terminate()
    code, errors = running.end()
    assert code == 0, errors
    assert not processes(folder)


def test_the_end_of_one_process_ends_the_demo(folder: Path) -> None:
    running = Running(folder)
    running.ready()
    os.kill(processes(folder)["exporter"], signal.SIGKILL)
    code, errors = running.end()
    assert code == 1
    assert "demo: the exporter ended by itself, signal SIGKILL; its last lines:\n" in errors
    assert "exporter started" in errors
    assert not processes(folder)


def test_a_taken_port_is_told_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = CliRunner().invoke(demo, ["--path", str(folder), "--listen", address])
    assert result.exit_code == 1
    assert f"demo: cannot listen on {address} (Address already in use)" in result.output
    assert "--listen 127.0.0.1:0" in result.output
    assert not folder.exists()


def test_processes_of_ones_own_are_told_which_port_is_taken(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = [*LISTEN_ON_FREE_PORTS, "--inbox-listen", address]
        result = CliRunner().invoke(demo, ["--path", str(folder), *arguments])
    assert result.exit_code == 1
    assert f"demo: cannot listen on {address}" in result.output
    assert "--inbox-listen 127.0.0.1:0" in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--listen", "0.0.0.0:9116"], 1, "has no authentication"),
        (["--listen", "nonsense"], 2, "must be HOST:PORT"),
        (["--api-listen", "0.0.0.0:3001"], 1, "has no authentication"),
        (["--alerter-listen", "0.0.0.0:9126"], 1, "has no authentication"),
        (["--inbox-listen", "0.0.0.0:9130"], 1, "has no authentication"),
        (["--zookeeper", "127.0.0.1"], 2, "must be HOST:PORT"),
        (
            [*LISTEN_ON_FREE_PORTS, "--zookeeper", "127.0.0.1:1"],
            1,
            "nothing answers at 127.0.0.1:1",
        ),
    ],
)
def test_wrong_arguments(arguments: list[str], code: int, message: str) -> None:
    result = CliRunner().invoke(demo, arguments)
    assert (result.exit_code, message in result.output) == (code, True), result.output


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = CliRunner().invoke(demo, ["--once"])
    assert result.exit_code == 1
    assert "pip install '.[demo]'" in result.output


def test_the_users_own_settings_do_not_reach_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERSIGHT__COLLECTION__INTERVAL_SEC", "3600")
    monkeypatch.setenv("KEPT", "yes")
    assert environment()["KEPT"] == "yes"
    assert not [name for name in environment() if name.startswith("CLUSTERSIGHT")]

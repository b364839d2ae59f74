"""The demo: an embedded ClickHouse with its workload, the exporter and the API beside it."""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import requests
import yaml

from clustersight.demo.child import STOP_SECONDS, Child, DemoError, Stopped, wait_for
from clustersight.demo.progress import Progress
from clustersight.demo.workload import StepError, Workload
from clustersight.settings.listen import Listen

# Not ClickHouse's own `default`, as which the workload runs: a panel leaves its own user's queries out.
USERNAME = "clustersight"
MISSING_ENGINE = "the embedded ClickHouse is not installed: pip install 'clustersight[demo]'"
WATCH_SECONDS = 0.5
PAGE_TIMEOUT_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Options:
    """`path` keeps the demo's files, None: a temporary folder. `zookeeper` is HOST:PORT or empty.

    `skip` names steps of the workload that are left out.
    """

    listen: Listen
    api_listen: Listen
    path: Path | None = None
    zookeeper: str = ""
    interval_seconds: int = 10
    tier2_every: int = 3
    skip: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    clickhouse_url: str
    exporter_url: str
    api_url: str
    folder: Path
    children: tuple[Child, ...]

    def page(self) -> str:
        """The exporter's page as it is now; raises DemoError."""
        try:
            answer = requests.get(f"{self.exporter_url}/metrics", timeout=PAGE_TIMEOUT_SECONDS)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise DemoError(f"the exporter does not answer: {error}") from error
        return answer.content.decode()

    def ask(self, path: str) -> Any:
        """The data of a GET below /api/v1, None where the API has none; raises DemoError."""
        try:
            answer = requests.get(f"{self.api_url}/api/v1{path}", timeout=PAGE_TIMEOUT_SECONDS)
            return answer.json()["data"]
        except (requests.RequestException, ValueError, KeyError) as error:
            raise DemoError(f"the API does not answer: {error}") from error

    def watch(self, stopped: threading.Event) -> None:
        """Return when asked to stop; raises DemoError when a process ends by itself."""
        while not stopped.wait(WATCH_SECONDS):
            for child in self.children:
                child.check()


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that is set by Ctrl-C, SIGTERM and the terminal's end."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def running(options: Options, progress: Progress, stopped: threading.Event) -> Iterator[Demo]:
    """Start everything, and stop everything at the end. Raises DemoError, and Stopped while starting."""
    check_surroundings(options)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_of(options.path))
        start = Starting(options, folder, progress, stopped, stack)
        server, clickhouse_url = start.clickhouse()
        start.workload(server, clickhouse_url)
        exporter, exporter_url = start.exporter(server, clickhouse_url)
        api, api_url = start.api(server, exporter)
        demo = Demo(clickhouse_url, exporter_url, api_url, folder, (server, exporter, api))
        yield demo


def check_surroundings(options: Options) -> None:
    """Raise DemoError, with the remedy, for what would fail later and less clearly."""
    if importlib.util.find_spec("chdb") is None:
        raise DemoError(MISSING_ENGINE)
    check_listen(options.listen, "--listen")
    check_listen(options.api_listen, "--api-listen")
    if options.zookeeper and not answers(options.zookeeper):
        raise DemoError(f"nothing answers at {options.zookeeper}: start ZooKeeper, or leave out --zookeeper")


def check_listen(listen: Listen, option: str) -> None:
    """Raise DemoError where a process could not, or should not, listen."""
    if not listen.is_loopback:
        raise DemoError(
            f"the demo has no authentication and does not listen on {listen}, beyond this machine: "
            "use 127.0.0.1:PORT, and an SSH tunnel to see it from elsewhere"
        )
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the exporter's own socket: a connection that has just ended does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            raise DemoError(
                f"cannot listen on {listen} ({error.strerror}): does another exporter, API or demo run? "
                f"Stop it, or choose another port: clustersight demo {option} 127.0.0.1:0 takes a free one"
            ) from error


def answers(address: str) -> bool:
    """Whether something accepts connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def folder_of(path: Path | None) -> Iterator[Path]:
    """The demo's folder; a temporary one goes at the end."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="clustersight-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Starting:
    """The stages of the start; what was started is stopped by `stack`, the last first."""

    options: Options
    folder: Path
    progress: Progress
    stopped: threading.Event
    stack: contextlib.ExitStack

    def clickhouse(self) -> tuple[Child, str]:
        """Start the server and wait for it; the process and its URL."""
        port_file = self.folder / "clickhouse.port"
        arguments = ["--path", str(self.folder / "engine"), "--port-file", str(port_file)]
        if self.options.zookeeper:
            arguments += ["--zookeeper", self.options.zookeeper]
        child = Child("ClickHouse", "clustersight.demo.server", arguments, self.folder / "clickhouse.log")
        with self.progress.stage("ClickHouse 26.9, embedded, starts"):
            port = self._started(child, port_file)
        return child, f"http://127.0.0.1:{port}"

    def workload(self, server: Child, url: str) -> None:
        """Make the tables with their faults, and start the routine."""
        workload = Workload(
            url,
            self.folder / "engine" / "data",
            replicated=bool(self.options.zookeeper),
            skip=self.options.skip,
            complain=lambda text: self.progress.say(f"workload: {text}"),
        )
        # Before the end of the server, which ends the queries that still run.
        self.stack.callback(workload.clear)
        self.stack.callback(workload.stop)
        with self.progress.stage("tables and faults are made"):
            self._set_up(workload, server)
        workload.start()

    def exporter(self, server: Child, clickhouse_url: str) -> tuple[Child, str]:
        """Start the exporter and wait for it; the process and its URL."""
        config, url_file = self.folder / "clustersight.yaml", self.folder / "exporter.url"
        config.write_text(self._config(clickhouse_url), encoding="utf-8")
        arguments = ["--config", str(config), "--url-file", str(url_file)]
        child = Child("the exporter", "exporter", arguments, self.folder / "exporter.log")
        with self.progress.stage("exporter starts"):
            url = self._started(child, url_file, server)
        return child, url

    def api(self, *others: Child) -> tuple[Child, str]:
        """Start the API, which reads what the exporter writes; the process and its URL."""
        config, url_file = self.folder / "clustersight.yaml", self.folder / "api.url"
        child = Child(
            "the API", "api", ["--config", str(config), "--url-file", str(url_file)], self.folder / "api.log"
        )
        with self.progress.stage("API starts"):
            url = self._started(child, url_file, *others)
        return child, url

    def _started(self, child: Child, told: Path, *others: Child) -> str:
        """Start a process and return what it writes into the file once it is ready."""
        told.unlink(missing_ok=True)
        child.start()
        self.stack.callback(self._stop, child)
        wait_for(told.exists, f"{child.name} is ready", (child, *others), self.stopped)
        return told.read_text(encoding="utf-8").strip()

    def _stop(self, child: Child) -> None:
        if not child.stop():
            self.progress.say(f"{child.name} did not end within {STOP_SECONDS:g} s and was killed")

    def _set_up(self, workload: Workload, server: Child) -> None:
        try:
            workload.set_up(self.stopped.is_set)
        except StepError as error:
            server.check()
            raise DemoError(f"the workload cannot be set up: {error}") from error
        if self.stopped.is_set():
            raise Stopped

    def _config(self, clickhouse_url: str) -> str:
        cluster: dict[str, object] = {
            "name": "demo",
            "host": "127.0.0.1",
            "port": int(clickhouse_url.rpartition(":")[2]),
            "protocol": "http",
            "username": USERNAME,
        }
        if self.options.zookeeper:
            cluster["keeper_nodes"] = [self.options.zookeeper]
        content = {
            "clusters": [cluster],
            "collection": {
                "interval_sec": self.options.interval_seconds,
                "tier2_every": self.options.tier2_every,
            },
            "exporter": {"listen": str(self.options.listen)},
            "api": {"listen": str(self.options.api_listen)},
            "data_dir": str(self.folder / "state"),
        }
        head = "# Written by `clustersight demo` at every start: changes are lost.\n"
        return head + yaml.safe_dump(content, sort_keys=False)


def run(options: Options, progress: Progress, on_ready: Callable[[Demo], None]) -> None:
    """Run the demo until it is asked to stop. Raises DemoError."""
    with stop_signals() as stopped, contextlib.suppress(Stopped), running(options, progress, stopped) as demo:
        on_ready(demo)
        demo.watch(stopped)
        progress.say("stopping ...")

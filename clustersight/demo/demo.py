"""The demo: an embedded ClickHouse with its workload, and the three processes and an inbox beside it."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import requests

from clustersight.demo.child import Child, DemoError, Stopped
from clustersight.demo.inbox import Inbox
from clustersight.demo.options import Options
from clustersight.demo.progress import Progress
from clustersight.demo.starting import Starting
from clustersight.demo.surroundings import check_surroundings

__all__ = ["Demo", "Options", "run", "running", "stop_signals"]

WATCH_SECONDS = 0.5
# A name that is on the page once the panel that is read last was read.
LAST_READ = "clickhouse_detached_parts_all{"
PAGE_TIMEOUT_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    clickhouse_url: str
    exporter_url: str
    alerter_url: str
    api_url: str
    inbox: Inbox
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

    def has_collected(self) -> bool:
        """Whether every panel was read once."""
        try:
            return LAST_READ in self.page()
        except DemoError:
            return False

    def ask(self, path: str) -> Any:
        """The data of a GET below /api/v1, None where the API has none; raises DemoError."""
        return self._answer("GET", path)["data"]

    def tell(self, path: str, body: Mapping[str, Any]) -> Any:
        """The data of a POST below /api/v1; raises DemoError, also with what the API says against it."""
        answer = self._answer("POST", path, body)
        if answer["error"]:
            raise DemoError(f"the API refuses POST /api/v1{path}: {answer['error']['message']}")
        return answer["data"]

    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self.api_url}/api/v1{path}"
        try:
            answer = requests.request(method, url, json=body, timeout=PAGE_TIMEOUT_SECONDS).json()
            return {"data": answer["data"], "error": answer["error"]}
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
        yield started(Starting(options, folder, progress, stopped, stack))


def started(start: Starting) -> Demo:
    """Everything, one after the other. Raises DemoError and Stopped."""
    server, clickhouse_url = start.clickhouse()
    workload = start.workload(server, clickhouse_url)
    inbox = start.inbox()
    config = start.configuration(clickhouse_url, inbox)
    exporter, exporter_url = start.process("exporter", "exporter", config, server)
    alerter, alerter_url = start.process("alerter", "alerter", config, server, exporter)
    api, api_url = start.process("API", "api", config, server, exporter, alerter)
    children = (server, exporter, alerter, api)
    running = Demo(clickhouse_url, exporter_url, alerter_url, api_url, inbox, start.folder, children)
    workload.break_later(running.has_collected)
    return running


@contextlib.contextmanager
def folder_of(path: Path | None) -> Iterator[Path]:
    """The demo's folder; a temporary one goes at the end."""
    if path is not None:
        path.mkdir(parents=True, exist_ok=True)
        yield path.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="clustersight-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run(options: Options, progress: Progress, on_ready: Callable[[Demo], None]) -> None:
    """Run the demo until it is asked to stop. Raises DemoError."""
    with stop_signals() as stopped, contextlib.suppress(Stopped), running(options, progress, stopped) as demo:
        on_ready(demo)
        demo.watch(stopped)
        progress.say("stopping ...")

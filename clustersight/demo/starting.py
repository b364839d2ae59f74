"""The stages of the demo's start: ClickHouse, its workload, the inbox, and the three processes."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path

from clustersight.demo import configuration
from clustersight.demo.child import STOP_SECONDS, Child, DemoError, Stopped, wait_for
from clustersight.demo.headline import headline
from clustersight.demo.inbox import Inbox, Letter
from clustersight.demo.options import Options
from clustersight.demo.progress import Progress
from clustersight.demo.workload import StepError, Workload


@dataclass(frozen=True, slots=True)
class Starting:
    """What was started is stopped by `stack`, the last first."""

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

    def workload(self, server: Child, url: str) -> Workload:
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
        return workload

    def inbox(self) -> Inbox:
        """Start the page on which messages arrive; each is a line on the terminal too."""
        listen = self.options.inbox_listen
        inbox = Inbox(listen.port, listen.host, on_letter=self._tell)
        return self.stack.enter_context(inbox)

    def _tell(self, letter: Letter) -> None:
        self.progress.say(f"{letter.at.astimezone():%H:%M:%S}  {headline(letter.payload)}")

    def configuration(self, clickhouse_url: str, inbox: Inbox) -> Path:
        """Write what the processes read; its path."""
        return configuration.write(self.folder, self.options, clickhouse_url, inbox.webhook_url)

    def process(self, name: str, module: str, config: Path, *others: Child) -> tuple[Child, str]:
        """Start one of the three processes and wait for it; the process and its URL."""
        url_file = self.folder / f"{module}.url"
        arguments = ["--config", str(config), "--url-file", str(url_file)]
        child = Child(f"the {name}", module, arguments, self.folder / f"{module}.log")
        with self.progress.stage(f"{name} starts"):
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

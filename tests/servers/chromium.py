"""Chromium of Debian, headless, spoken to over a pipe: the DevTools protocol without another package.

https://chromedevtools.github.io/devtools-protocol/; with --remote-debugging-pipe messages are JSON that ends
with a NUL, to file descriptor 3 and from 4.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from tests.servers.process import STOP_SECONDS, ServerError, program, tail

PACKAGE = "chromium"
ANSWER_SECONDS = 60.0
_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--disable-lcd-text", "--remote-debugging-pipe",
)  # fmt: skip


class Chromium:
    """One browser with one tab, from start() to stop() or within a `with` block; its profile is in `folder`.

    `complaints` are what its console has said since the last visit: errors of scripts, of the policy, of the
    network.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.complaints: list[str] = []
        self._folder = folder
        self._log = folder / "output.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._session = ""
        self._unread = b""
        self._events: list[dict[str, Any]] = []

    def start(self) -> None:
        """Start it and open the tab. Raises MissingPackage and ServerError."""
        browser = program("chromium", PACKAGE)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        command = [browser, *_OPTIONS, f"--user-data-dir={self._folder / 'profile'}", "about:blank"]
        with self._log.open("ab") as output:
            # The shell gives the pipes the numbers that Chromium wants, whatever they are here.
            self._process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "chromium", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(to_read, to_write),
                env=os.environ | {"HOME": str(self._folder)},
                start_new_session=True,
            )
        os.close(to_read)
        os.close(to_write)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def stop(self) -> None:
        """End it and all of its children."""
        if self._process is None:
            return
        with contextlib.suppress(ServerError, OSError):
            self._ask("Browser.close")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def visit(self, url: str) -> int:
        """Load a page and wait until it is there; its HTTP status."""
        self.complaints.clear()
        self._events.clear()
        frame = self.ask("Page.navigate", url=url)
        if "errorText" in frame:
            raise ServerError(f"{url}: {frame['errorText']}")
        self._wait(lambda event: event["method"] == "Page.loadEventFired")
        documents = [
            event["params"]["response"]["status"]
            for event in self._events
            if event["method"] == "Network.responseReceived" and event["params"]["type"] == "Document"
        ]
        return int(documents[-1])

    def screen(self, width: int, height: int = 812, *, dark: bool = False, mobile: bool = False) -> None:
        """Look as on a screen of so many CSS pixels; a phone's has two real ones for each."""
        metrics = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 2 if mobile else 1,
            "mobile": mobile,
        }
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def scripts(self, *, enabled: bool) -> None:
        """Let pages run scripts, or not; ours are run all the same."""
        self.ask("Emulation.setScriptExecutionDisabled", value=not enabled)

    def send(self, headers: dict[str, str]) -> None:
        """With each request from now on."""
        self.ask("Network.setExtraHTTPHeaders", headers=headers)

    def run(self, script: str) -> Any:
        """The value of an expression in the page, which its policy does not keep from being run."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in found:
            raise ServerError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def picture(self, *, whole: bool = False, most_height: int = 4000) -> bytes:
        """PNG of what is on the screen, or of the whole page to a height."""
        if not whole:
            return base64.b64decode(self.ask("Page.captureScreenshot")["data"])
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": min(size["height"], most_height),
            "scale": 1,
        }
        return base64.b64decode(
            self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        )

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol to the tab; its result. Raises ServerError."""
        return self._ask(method, session=self._session, **parameters)

    def _ask(self, method: str, *, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        for one in self._messages():
            if one.get("id") == number:
                if "error" in one:
                    raise ServerError(f"{method}: {one['error']}")
                return dict(one["result"])
        raise ServerError(f"{method}: no answer\n{tail(self._log)}")

    def _wait(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        if any(holds(event) for event in self._events):
            return
        for one in self._messages():
            if "method" in one and holds(one):
                return
        raise ServerError(f"the page does not come\n{tail(self._log)}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        """What Chromium says, until it has said nothing for long; events are kept too."""
        ends = time.monotonic() + ANSWER_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._from, selectors.EVENT_READ)
            while True:
                while b"\0" in self._unread:
                    text, _, self._unread = self._unread.partition(b"\0")
                    yield self._kept(json.loads(text))
                if not selector.select(max(0.0, ends - time.monotonic())):
                    return
                got = os.read(self._from, 1 << 20)
                if not got:
                    return
                self._unread += got

    def _kept(self, message: dict[str, Any]) -> dict[str, Any]:
        if "method" in message:
            self._events.append(message)
            self.complaints += _complaint(message["method"], message["params"])
        return message


def _complaint(method: str, said: dict[str, Any]) -> list[str]:
    if method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
        return [said["entry"]["text"]]
    if method == "Runtime.exceptionThrown":
        return [str(said["exceptionDetails"])]
    if method == "Runtime.consoleAPICalled":
        return [f"{said['type']}: {said['args']}"]
    if method == "Page.javascriptDialogOpening":
        return [f"{said['type']}: {said['message']}"]
    return []

"""The Slack stub as a process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import requests

from tests.servers import slack
from tests.servers.process import ServerProcess


class SlackProcess(ServerProcess):
    def command(self) -> Sequence[str]:
        return [sys.executable, "-P", slack.__file__, "--port-file", str(self.folder / "port")]

    def ready(self) -> bool:
        return (self.folder / "port").exists()


def test_it_runs_by_itself(tmp_path: Path) -> None:
    server = SlackProcess(tmp_path)
    server.start()
    try:
        base = f"http://127.0.0.1:{(tmp_path / 'port').read_text().strip()}"
        requests.post(f"{base}/script", json=[{"status": 503, "body": "down"}], timeout=10)
        statuses = [
            requests.post(base + slack.PATH, json={"text": "x"}, timeout=10).status_code for _ in range(2)
        ]
        requests.post(f"{base}/default", json={"status": 404, "body": "no_service"}, timeout=10)
        statuses.append(requests.post(base + slack.PATH, json={"text": "x"}, timeout=10).status_code)
        received = requests.get(f"{base}/received", timeout=10).json()
    finally:
        server.stop()
    assert statuses == [503, 200, 404]
    assert [one["status"] for one in received] == statuses
    assert received[0]["body"] == {"text": "x"}

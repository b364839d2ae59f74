"""The embedded ClickHouse 26.9 of the demo, as a process of its own."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

import requests

from tests.servers.process import MissingPackage, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class EmbeddedServer(ServerProcess):
    """ClickHouse 26.9 over HTTP. The port is known after start() and stays the same over restart().

    `user` and `password`: then nobody else gets in. `accounts` are NAME:PASSWORD[:READONLY] beside that user.
    `grants` narrow what every query may do. `fragment` is XML for the engine's configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        zookeeper: str = "",
        user: str = "",
        password: str = "",
        accounts: Sequence[str] = (),
        grants: Sequence[str] = (),
        fragment: str = "",
    ) -> None:
        super().__init__(folder)
        self.user, self.password = user or "default", password
        self.port = 0
        self._session = requests.Session()
        (folder / "fragment.xml").write_text(fragment, encoding="utf-8")
        self._arguments = [
            *("--zookeeper", zookeeper),
            *("--user", user),
            *("--password", password),
            *("--config-fragment", str(folder / "fragment.xml")),
            *(part for account in accounts for part in ("--account", account)),
            *(part for grant in grants for part in ("--grant", grant)),
        ]

    def command(self) -> Sequence[str]:
        if not importlib.util.find_spec("chdb"):
            raise MissingPackage("chdb is missing: install the extra `demo`")
        self._port_file.unlink(missing_ok=True)
        return [
            *(sys.executable, "-m", "clustersight.demo.server"),
            *("--path", str(self.folder / "engine")),
            *("--port", str(self.port), "--port-file", str(self._port_file)),
            *self._arguments,
        ]

    def ready(self) -> bool:
        if not self._port_file.exists():
            return False
        self.port = int(self._port_file.read_text())
        return requests.get(f"{self.url}/ping", timeout=5).ok

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def execute(self, sql: str, **settings: str | int) -> list[list[Any]]:
        """Run SQL and return its rows; raises EmbeddedError with ClickHouse's code."""
        answer = self._session.post(
            self.url,
            params={"default_format": "JSONCompact", "output_format_json_quote_64bit_integers": 0} | settings,
            data=sql.encode(),
            headers={"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password},
            timeout=60,
        )
        if not answer.ok:
            raise EmbeddedError(answer.text, int(answer.headers["X-ClickHouse-Exception-Code"]))
        return json.loads(answer.content)["data"] if answer.content else []

    @property
    def _port_file(self) -> Path:
        return self.folder / "port"


class EmbeddedError(Exception):
    """The server answered with an exception; `code` is ClickHouse's."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code

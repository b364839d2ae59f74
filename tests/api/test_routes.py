"""Every route of the reference over a running demo, in its shape; and all documented curl lines."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
import yaml

from api import create_app
from clustersight.settings.model import Settings
from tests.api.answers import bad, envelope, good
from tests.api.reference import (
    ADDED,
    COMPONENT,
    COMPONENTS,
    DEDUCTION,
    NEW_CLUSTER,
    NEW_RULE,
    NEW_SILENCE,
    OF_SERIES,
    PUBLISHED,
    Form,
    Promise,
)
from tests.conftest import running
from tests.servers.api import BASE, ApiProcess
from tests.servers.demo import DemoProcess
from tests.servers.process import program, wait_until
from tests.servers.zookeeper import ZooKeeper

ROOT = Path(__file__).parents[2]
PLACE = re.compile(r"\{\w+\}")
# A first visit to everything, and what query_log takes to be written.
READY_SECONDS = 90


class Asked:
    """The demo's API; paths are those of the reference."""

    def __init__(self, demo: DemoProcess) -> None:
        self.demo = demo
        self.url = str(demo.told["api"])
        self.made: list[str] = []
        self._numbers = itertools.count()

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, self.url + BASE + path, timeout=30, **options)

    def create(self, path: str, body: dict[str, Any]) -> str:
        """Make something for one request; its id."""
        made = str(good(self.ask("POST", path, json=body), 201)["id"])
        self.made.append(f"{path}/{made}")
        return made

    def filled(self, text: str) -> str:
        """A path or a body with ids in it, of things that are there now."""
        number = next(self._numbers)
        if "{cluster}" in text:
            body = {**NEW_CLUSTER, "name": f"made{number}", "port": 9000, "host": f"made{number}.invalid"}
            text = text.replace("{cluster}", self.create("/clusters", body))
        if "{rule}" in text:
            text = text.replace(
                "{rule}", self.create("/alerts/rules", {**NEW_RULE, "name": f"made {number}"})
            )
        if "{silence}" in text:
            text = text.replace("{silence}", self.create("/silences", NEW_SILENCE))
        if "{query_hash}" in text:
            text = text.replace("{query_hash}", self.query_hash())
        if "{watched}" in text:
            text = text.replace("{watched}", str(good(self.ask("GET", "/clusters"))[0]["id"]))
        return text.replace("{alert}", self.alert()) if "{alert}" in text else text

    def alert(self) -> str:
        """The oldest one that fires."""
        return str(good(self.ask("GET", "/alerts"))[-1]["id"])

    def query_hash(self) -> str:
        """Of a SELECT that ran, and that EXPLAIN would not run."""
        found = good(self.ask("GET", "/queries/slow", params={"kind": "Select"}))
        return next(str(one["query_hash"]) for one in found if "sleep" not in one["query"])

    def clean(self) -> None:
        for path in self.made:
            self.ask("DELETE", path)
        self.made.clear()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, zookeeper: ZooKeeper) -> Iterator[DemoProcess]:
    server = DemoProcess(tmp_path_factory.mktemp("demo"), zookeeper.address)
    with running(server):
        yield server


@pytest.fixture(scope="module")
def visited(demo: DemoProcess) -> Asked:
    """Once everything was collected."""
    asked = Asked(demo)
    ready = [f"{demo.told['exporter']}/-/ready", f"{asked.url}{BASE}/panels/health-score"]
    wait_until(
        lambda: all(requests.get(url, timeout=20).ok for url in ready), READY_SECONDS, "all was visited"
    )
    wait_until(lambda: asked.query_hash() and failed(asked), READY_SECONDS, "query_log is written")
    wait_until(lambda: good(asked.ask("GET", "/alerts")), READY_SECONDS, "a rule fires")
    return asked


@pytest.fixture
def asked(visited: Asked) -> Iterator[Asked]:
    """What is made through it is gone after the test."""
    yield visited
    visited.clean()


def failed(asked: Asked) -> bool:
    return bool(good(asked.ask("GET", "/queries/failed")))


@pytest.fixture(scope="module")
def document(visited: Asked) -> dict[str, Any]:
    return dict(requests.get(f"{visited.url}{BASE}/openapi.json", timeout=20).json())


def place(path: str) -> str:
    return PLACE.sub("{}", path)


def test_the_reference_has_37_routes() -> None:
    assert len({(one.method, place(one.path)) for one in PUBLISHED}) == len(PUBLISHED) == 37


def test_the_application_has_these_routes_and_no_others() -> None:
    rules = create_app(Settings(), environ={}).url_map.iter_rules()
    served = {
        (method, re.sub(r"<[^>]+>", "{}", rule.rule.removeprefix(BASE)))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD"}
        if rule.rule.startswith(BASE) and not rule.rule.startswith((f"{BASE}/docs", f"{BASE}/openapi"))
    }

    assert {(one.method, place(one.path)) for one in (*PUBLISHED, *ADDED)} == served


@pytest.mark.parametrize("promise", [*PUBLISHED, *ADDED], ids=str)
def test_a_route_answers_as_the_reference_says(
    asked: Asked, document: dict[str, Any], promise: Promise
) -> None:
    body = None if promise.body is None else json.loads(asked.filled(json.dumps(promise.body)))
    path = asked.filled(promise.path)

    answer = asked.ask(promise.method, path, json=body, params=dict(promise.query))

    if promise.code:
        bad(answer, promise.status, promise.code)
    else:
        data = good(answer, promise.status)
        if promise.method == "POST" and promise.status == 201:
            asked.made.append(f"{promise.path}/{data['id']}")
        assert envelope(answer)["meta"].keys() >= promise.meta
        assert_shape(promise, data)
    assert_documented(document, promise, answer)


def assert_shape(promise: Promise, data: Any) -> None:
    rows = [data]
    if promise.form is Form.SERIES:
        assert data.keys() >= OF_SERIES
        assert data["range"] == promise.query["range"]
        for one in data["series"]:
            assert one.keys() >= {"metric", "labels", "points"}
            assert all(len(point) == 2 for point in one["points"])
        rows = data["current"]
    elif promise.form is Form.ROWS:
        rows = data
    assert isinstance(rows, list)
    assert rows or not promise.rows
    for row in rows:
        assert row.keys() >= promise.data, sorted(promise.data - row.keys())


def assert_documented(document: dict[str, Any], promise: Promise, answer: requests.Response) -> None:
    """The answer fits the document's schema, and the schema has the reference's fields."""
    paths = {place(path.removeprefix(BASE)): methods for path, methods in document["paths"].items()}
    responses = paths[place(promise.path)][promise.method.lower()]["responses"]
    components = {"components": document["components"]}
    schema = responses[str(promise.status)]["content"]["application/json"]["schema"]
    wrong = [
        f"{list(error.instance_path)}: {error.message}"
        for error in jsonschema_rs.Draft202012Validator({**schema, **components}).iter_errors(answer.json())
    ]
    assert not wrong
    success = next(told for status, told in responses.items() if status.startswith("2"))
    data = resolved(document, success["content"]["application/json"]["schema"])["properties"]["data"]
    assert fields(document, data, promise.form) >= promise.data


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return dict(document["components"]["schemas"][name]) if name else schema


def fields(document: dict[str, Any], schema: dict[str, Any], form: Form) -> set[str]:
    """The names that the document gives to what a Promise lists in `data`."""
    whole = resolved(document, schema)
    if form is Form.ROWS:
        whole = resolved(document, whole["items"])
    elif form is Form.SERIES:
        assert whole["properties"].keys() >= OF_SERIES
        whole = resolved(document, whole["properties"]["current"]["items"])
    return set(whole["properties"])


def test_the_score_has_its_five_components_and_their_deductions(asked: Asked) -> None:
    components = good(asked.ask("GET", "/panels/health-score"))["components"]

    assert components.keys() == COMPONENTS
    assert all(one.keys() >= COMPONENT for one in components.values())
    deductions = [deduction for one in components.values() for deduction in one["deductions"]]
    assert deductions
    assert all(one.keys() >= DEDUCTION for one in deductions)


def test_the_connection_test_finds_the_demo(asked: Asked) -> None:
    port = int(asked.demo.told["clickhouse"].rpartition(":")[2])
    address = {"host": "127.0.0.1", "port": port, "protocol": "http", "username": "clustersight"}

    found = good(asked.ask("POST", "/clusters/test", json=address))

    assert (found["success"], found["message"]) == (True, "Connected successfully")
    assert found["version"].startswith("26.")
    assert found["nodes"] == [f"127.0.0.1:{port}"]


# The README, and docs/api.md.

BLOCK = re.compile(r"^ *```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ASSIGNED = re.compile(r"^ *\$ (TOKEN=.*)$", re.MULTILINE)
# A line goes on that ends in a backslash, or within quotes.
CURL = re.compile(r"""^ *\$ (curl (?:'[^']*'|"[^"]*"|\\\n|[^'"\n])*)$""", re.MULTILINE)
ADDRESS = re.compile(r"http://(?:localhost|127\.0\.0\.1):(\d+)")
PASSWORD = "your_password"
PLACES = {"<alert-id>": "{alert}", "<query-hash>": "{query_hash}", "<cluster-id>": "{watched}"}
# What a line makes, by what its body has.
MAKING = {"/silences": '"matchers"', "/clusters": '"host":', "/alerts/rules": '"metric_key"'}


def told() -> str:
    """Both documents."""
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/api.md"))


SHOWN = "\n".join(BLOCK.findall(told()))
LINES: list[str] = list(dict.fromkeys(CURL.findall(SHOWN)))


def test_the_documents_show_how_to_ask() -> None:
    lines = " ".join(LINES)

    assert len(set(ASSIGNED.findall(SHOWN))) == 1
    for part in ("/clusters", "/panels/health-score", "/alerts/history", "-X POST", "<alert-id>/acknowledge"):
        assert part in lines
    # None stands outside of a block, or is written in a way that CURL does not see.
    assert len(CURL.findall(SHOWN)) == len(re.findall(r"\bcurl [-h\"]", told()))


@pytest.fixture(scope="module")
def locked(visited: Asked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A second API on the demo's store, with a password; its URL."""
    config = yaml.safe_load((visited.demo.state / "clustersight.yaml").read_text())
    for channel in config["notify"]["channels"]:
        channel["url_file"] = str(visited.demo.state / channel["url_file"])
    environment = {"CLUSTERSIGHT_PASSWORD": PASSWORD}
    server = ApiProcess(tmp_path_factory.mktemp("locked") / "api", config, environment=environment)
    with running(server):
        assert requests.get(f"{server.url}{BASE}/clusters", timeout=20).status_code == 401
        yield server.url


@pytest.mark.parametrize(
    ("password", "line"),
    [*((False, line) for line in LINES), *((True, line) for line in LINES if "$TOKEN" in line)],
)
def test_each_curl_line_of_the_documents_works(
    asked: Asked, locked: str, tmp_path: Path, password: bool, line: str
) -> None:
    urls = {"3001": locked if password else asked.url, "9116": str(asked.demo.told["exporter"])}
    made = next((path for path, sign in MAKING.items() if sign in line and path + "/test" not in line), None)
    expected = 201 if made is not None else 200
    for shown, place in PLACES.items():
        line = line.replace(shown, place)
    command = ADDRESS.sub(lambda address: urls[address[1]], asked.filled(line))

    status, out = curl(f"{ASSIGNED.findall(SHOWN)[0]}\n{command}", tmp_path)

    assert status == expected, out
    if "/api/" in line:
        body = json.loads(out)
        assert list(body) == ["data", "meta", "error"]
        assert (body["error"] is None) == (expected < 400)
        if made is not None:
            asked.made.append(f"{made}/{body['data']['id']}")
    else:
        assert out


def curl(script: str, folder: Path) -> tuple[int, str]:
    """Run it in a shell, as somebody would; the status of the answer, and what was printed."""
    program("curl", "curl")
    (folder / ".curlrc").write_text(
        'silent\nshow-error\nmax-time = 30\nwrite-out = "%{stderr}%{http_code}"\n'
    )
    around = os.environ | {"CURL_HOME": str(folder)}
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=around, check=False)
    assert ended.returncode == 0, ended.stderr
    return int(ended.stderr), ended.stdout

"""`python -m api` as people run it: start, reload, stop, TLS, bad days."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import requests

from api.server import WORKERS
from tests.api.answers import bad, envelope, good
from tests.servers.api import ApiProcess
from tests.servers.certificates import Certificates
from tests.servers.misbehaving import SilentPeer
from tests.servers.process import free_port, wait_until

Apis = Callable[..., ApiProcess]
PASSWORD = "correct horse"
KEY = "k" * 32
HEADERS = {"Authorization": "Bearer " + hashlib.sha256(PASSWORD.encode()).hexdigest()}
LOCKED = {"api": {"password": PASSWORD}}


def start(tmp_path: Path, config: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it until it ends by itself."""
    file = tmp_path / "clustersight.yaml"
    file.write_text(config)
    command = [sys.executable, "-P", "-m", "api", "--config", str(file), *more]
    around = os.environ | {"XDG_STATE_HOME": str(tmp_path)} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=around)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("api: {listen: '0.0.0.0:3001'}\n", "CLUSTERSIGHT_PASSWORD"),
        ("api: {auth_failures_per_minute: -1}\n", "auth_failures_per_minute"),
        ("api: {web_config_file: nope.yaml}\n", "nope.yaml"),
        ("clusters: [\n", "clustersight.yaml:"),
        ("data_dir: /dev/null/nope\n", "/dev/null/nope"),
        (
            "store: {url: 'postgresql+psycopg://u:hush@127.0.0.1:1/d', secret_key: " + "k" * 32 + "}\n",
            "store",
        ),
    ],
)
def test_a_start_that_cannot_work_ends_with_the_reason(tmp_path: Path, config: str, told: str) -> None:
    ended = (
        start(tmp_path, config, "--listen", "127.0.0.1:0")
        if "listen" not in config
        else start(tmp_path, config)
    )

    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush" not in ended.stderr


def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "clustersight.db"
    database.write_bytes(b"not a database, but somebody's data " * 100)

    ended = start(tmp_path, f"data_dir: {tmp_path}\n", "--listen", "127.0.0.1:0")

    assert ended.returncode == 1
    assert "not a database" in ended.stderr
    assert database.read_bytes().startswith(b"not a database, but")


def test_an_address_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with SilentPeer() as taken:
        ended = start(tmp_path, "clusters: []\n", "--listen", f"127.0.0.1:{taken.port}")

    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_help_teaches() -> None:
    command = [sys.executable, "-m", "clustersight.cli", "api", "--help"]
    code = "from clustersight.cli import main; main(['api', '--help'], prog_name='clustersight')"
    shown = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    for told in ("CLUSTERSIGHT_PASSWORD", "sha256sum", "--listen", "SIGHUP", "Example:", "/api/v1/docs"):
        assert told in shown.stdout, command


def test_says_how_it_started_and_warns_once_of_dev_mode(api: Apis) -> None:
    running = api({"log": {"format": "json"}})

    log = running.logs()
    assert log.count('"auth_mode": "dev_mode_no_auth", "workers"') == 1
    assert log.count("no password is set") == 1
    assert f'"url": "{running.url}"' in log


def test_with_a_password_it_does_not_warn_and_tells_nobody(api: Apis) -> None:
    running = api(LOCKED, options={"headers": HEADERS})

    good(running.get("/health"))
    assert '"auth_mode"' not in running.logs()
    assert "auth_mode=token" in running.logs()
    assert PASSWORD not in running.logs()
    assert "no password is set" not in running.logs()


def test_wrong_tokens_are_counted_by_all_workers_together(api: Apis) -> None:
    running = api(LOCKED)
    wrong = {"Authorization": "Bearer wrong"}

    answers = [requests.get(running.url + "/api/v1/nope", headers=wrong, timeout=5) for _ in range(100)]

    assert [a.status_code for a in answers] == [401] * 10 + [429] * 90
    bad(running.get("/nope", headers=HEADERS), 404, "not_found")


def test_metrics_are_those_of_all_workers(api: Apis) -> None:
    running = api({})
    for _ in range(50):
        good(requests.get(running.url + "/api/v1/health", timeout=5))  # a connection each: any worker

    assert {healths(running) for _ in range(9)} == {50}


def healths(running: ApiProcess) -> float | None:
    """How many requests for the health were counted."""
    return running.value("clustersight_api_requests_total", route="/api/v1/health", status="200")


def test_a_reload_takes_a_password_over_without_losing_a_request(api: Apis) -> None:
    running = api({})
    bad(running.get("/nope"), 404, "not_found")
    asking = Asking(running)
    running.configure(LOCKED)

    answer = running.ask("POST", "/-/reload")

    assert good(answer) == {"status": "reloaded"}
    bad(running.get("/nope"), 401, "unauthorized")
    bad(running.get("/nope", headers=HEADERS), 404, "not_found")
    assert asking.stop() == {200}
    assert running.logs().count("configuration reloaded") == 1
    running.wait_for(lambda: len(memories(running)) == WORKERS, "the old workers are off the page")


def memories(running: ApiProcess) -> list[str]:
    page = running.ask("GET", "/metrics", headers=HEADERS).text
    return [line for line in page.splitlines() if line.startswith("process_resident_memory_bytes")]


class Asking:
    """Asks for the health without a pause, on new connections and on one that is kept."""

    def __init__(self, running: ApiProcess) -> None:
        self._stopped = threading.Event()
        self._statuses: list[int] = []
        self._url = running.url + "/api/v1/health"
        ways = (requests.get, requests.Session().get)
        self._threads = [threading.Thread(target=self._ask, args=[get]) for get in ways]
        for thread in self._threads:
            thread.start()

    def _ask(self, get: Any) -> None:
        while not self._stopped.is_set():
            self._statuses.append(get(self._url, timeout=5).status_code)

    def stop(self) -> set[int]:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        return set(self._statuses)


def test_sighup_reloads_too(api: Apis) -> None:
    running = api({})
    running.configure(LOCKED)

    os.kill(running.pid, signal.SIGHUP)

    running.wait_for(lambda: running.get("/nope").status_code == 401, "the password counts")
    assert running.ask("GET", "/metrics", headers=HEADERS).ok


def test_a_storm_of_reloads_keeps_no_end_waiting(api: Apis) -> None:
    """Reloads that came during one are one, where each takes half a second."""
    running = api({})
    sent = 0

    def reloads() -> int:
        nonlocal sent
        sent += 1
        os.kill(running.pid, signal.SIGHUP)
        return running.logs().count("configuration reloaded")

    running.wait_for(lambda: reloads() >= 5, "reloads")
    os.kill(running.pid, signal.SIGTERM)

    running.wait_for(lambda: not running.is_running, "the end")
    assert sent > 2 * running.logs().count("configuration reloaded")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"api": {"cache_ttl": 5}}, "cache_ttl"),
        ({"clusters": [{"name": "a", "host": "h", "port": 1}]}, "protocol"),
        ({"store": {"url": "sqlite:////dev/null/nope", "secret_key": KEY}}, "store"),
    ],
)
def test_a_bad_configuration_changes_nothing_and_says_why(
    api: Apis, config: dict[str, Any], told: str
) -> None:
    running = api(LOCKED, options={"headers": HEADERS})
    running.configure(config)

    error = bad(running.ask("POST", "/-/reload"), 422, "validation_error")
    os.kill(running.pid, signal.SIGHUP)

    assert told in str(error["detail"])
    running.wait_for(lambda: "reload refused" in running.logs(), "the log says so")
    assert running.value("clustersight_config_last_reload_successful") == 0
    bad(requests.get(running.url + "/api/v1/nope", timeout=5), 401, "unauthorized")
    running.configure(LOCKED)
    good(running.ask("POST", "/-/reload"))
    assert running.value("clustersight_config_last_reload_successful") == 1


def test_a_reload_does_not_open_what_is_reached_from_elsewhere(tmp_path: Path) -> None:
    listen = f"0.0.0.0:{free_port()}"
    running = Configured(tmp_path / "api", {"api": {"listen": listen, "password": PASSWORD}})
    try:
        running.start()
        running.configure({"api": {"listen": "127.0.0.1:0"}})  # which would be fine at a start
        error = bad(running.ask("POST", "/-/reload", headers=HEADERS), 422, "validation_error")
        assert f"listen on {listen}" in str(error["detail"])
        bad(running.get("/nope"), 401, "unauthorized")
    finally:
        running.stop()


class Configured(ApiProcess):
    """Listens where its file says."""

    def command(self) -> list[str]:
        whole = list(super().command())
        place = whole.index("--listen")
        return whole[:place] + whole[place + 2 :]


def test_sigterm_lets_an_answer_be_finished(api: Apis) -> None:
    running = api({})
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        wait_until(lambda: requests.get(running.url + "/-/healthy", timeout=5).ok, 5, "others are served")
        os.kill(running.pid, signal.SIGTERM)
        client.sendall(b"\r\n")

        assert client.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
    wait_until(lambda: not running.is_running, 20, "it ends")
    assert running._process is not None
    assert running._process.returncode == 0
    assert "Traceback" not in running.logs()


def test_a_worker_that_dies_is_replaced_and_its_counts_stay(api: Apis) -> None:
    running = api({})
    for _ in range(20):
        good(requests.get(running.url + "/api/v1/health", timeout=5))
    before = healths(running)
    children = running.workers()

    os.kill(int(children[0]), signal.SIGKILL)

    def replaced() -> bool:
        now = running.workers()
        return len(now) == len(children) and children[0] not in now

    running.wait_for(replaced, "another worker is there")
    assert healths(running) == before == 20


def test_nothing_of_the_workers_is_left_when_the_parent_is_killed(api: Apis) -> None:
    running = api({})
    children = running.workers()
    os.kill(running.pid, signal.SIGKILL)

    wait_until(lambda: not any(Path(f"/proc/{c}").exists() for c in children), 20, "the workers end")


def test_tls_and_users_of_a_web_configuration(api: Apis, certificates: Certificates, tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"lovelace", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yaml"
    valid = certificates.valid
    web.write_text(
        f"tls_server_config: {{cert_file: {valid.certificate}, key_file: {valid.key}}}\n"
        f"basic_auth_users: {{ada: '{hashed}'}}\n"
    )
    trusting = {"verify": str(certificates.authority)}
    running = api({"api": {"web_config_file": str(web)}}, options=trusting)

    assert running.url.startswith("https://")
    good(running.get("/health"))
    bad(running.get("/nope"), 401, "unauthorized")
    bad(running.get("/nope", auth=("ada", "lovelace")), 404, "not_found")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(running.url + "/api/v1/health", timeout=5)
    with socket.create_connection(("127.0.0.1", running.port)) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"HTTP" not in plain.makefile("rb").read()
    good(running.ask("POST", "/-/reload", auth=("ada", "lovelace")))
    good(running.get("/health"))


def test_the_store_is_away_for_a_while(api: Apis, postgresql: Any) -> None:
    url = postgresql.database("api_away")
    running = api({"store": {"url": url, "secret_key": "k" * 32}})
    good(running.ask("GET", "/-/ready"))
    try:
        postgresql.stop()
        bad(running.ask("GET", "/-/ready"), 503, "store_unavailable", "api_away", "clustersight:")
        good(running.get("/health"))
    finally:
        postgresql.start()

    running.wait_for(lambda: running.ask("GET", "/-/ready").ok, "it is there again")


def test_any_wsgi_server_can_run_it(tmp_path: Path) -> None:
    port = free_port()
    code = "from gunicorn.app.wsgiapp import run; run()"
    command = [
        sys.executable,
        "-P",
        "-c",
        code,
        "-b",
        f"127.0.0.1:{port}",
        "--no-control-socket",
        "api:create_app()",
    ]
    around = os.environ | {"CLUSTERSIGHT_DATA_DIR": str(tmp_path), "CLUSTERSIGHT_PASSWORD": PASSWORD}
    with subprocess.Popen(command, env=around, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: requests.get(url + "/-/ready", timeout=5).ok, 30, "it answers")
            bad(requests.get(url + "/api/v1/nope", timeout=5), 401, "unauthorized")
            refused = requests.post(url + "/-/reload", headers=HEADERS, timeout=5)
            bad(refused, 501, "not_supported")
            assert "restart" in envelope(refused)["error"]["message"]
        finally:
            process.terminate()

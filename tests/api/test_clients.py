"""Clients that are slow, or that do not speak HTTP: they hold nobody up, and are told in our form."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from api.server import THREADS, WORKERS
from api.worker import HEAD_SECONDS
from tests.api.answers import LEAKS, bad, good
from tests.servers.api import ApiProcess
from tests.servers.certificates import Certificates
from tests.servers.process import wait_until

Apis = Callable[..., ApiProcess]
HEAD = b"HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    server = ApiProcess(tmp_path_factory.mktemp("clients") / "api")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def with_tls(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[ApiProcess]:
    folder = tmp_path_factory.mktemp("clients-tls")
    valid, web = certificates.valid, folder / "web.yaml"
    web.write_text(f"tls_server_config: {{cert_file: {valid.certificate}, key_file: {valid.key}}}\n")
    trusting = {"verify": str(certificates.authority)}
    server = ApiProcess(folder / "api", {"api": {"web_config_file": str(web)}}, options=trusting)
    server.start()
    yield server
    server.stop()


def exchange(running: ApiProcess, sent: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes, read until the end: the status and the body."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(sent)
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert not LEAKS.search(body.decode())
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GARBAGE\r\n\r\n", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
        (b"GET  / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"G\x00T / HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
        (b"GET / " + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad_request"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "request_uri_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431, "request_header_fields_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431, "request_header_fields_too_large"),
        (b"GET /api/v1/../../../etc/passwd " + HEAD + b"\r\n", 404, "not_found"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd " + HEAD + b"\r\n", 404, "not_found"),
        (b"GET /\xff\xfe " + HEAD + b"\r\n", 400, "bad_request"),
        (b"OPTIONS * " + HEAD + b"\r\n", 404, "not_found"),
        (b"TRACE /api/v1/health " + HEAD + b"\r\n", 405, "method_not_allowed"),
        (b"PUT /api/v1/health " + HEAD + b"Content-Length: 5\r\n\r\nhello", 405, "method_not_allowed"),
        (b"GET /nope " + HEAD + b"SCRIPT_NAME: /nope\r\nPATH_INFO: /metrics\r\n\r\n", 404, "not_found"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_told_in_our_form(
    running: ApiProcess, sent: bytes, status: int, code: str
) -> None:
    told, body = exchange(running, sent)

    assert list(body) == ["data", "meta", "error"]
    assert (told, body["error"]["code"]) == (status, code)  # type: ignore[index]


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"-5\r\n", b"2\r\n{}XX\r\n", b"2 ;\rx\r\n{}\r\n0\r\n\r\n"])
def test_chunks_that_are_none_are_told_and_end_the_connection(running: ApiProcess, chunks: bytes) -> None:
    head = b"POST /api/v1/silences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

    told, body = exchange(running, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)

    assert (told, body["error"]["code"]) == (400, "bad_request")  # type: ignore[index]
    assert "a request failed" not in running.logs()


@contextlib.contextmanager
def connections(running: ApiProcess, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=30))
            for _ in range(count)
        ]
        for client in clients:
            client.sendall(sent)
        yield clients


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /api/v1/heal",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1",
    ],
    ids=["nothing", "half a line", "half a head"],
)
def test_clients_that_do_not_go_on_are_cut_off_and_hold_nobody_up(running: ApiProcess, sent: bytes) -> None:
    with connections(running, 3 * WORKERS * THREADS, sent) as clients:
        began = time.monotonic()
        good(running.get("/health", timeout=10))
        assert time.monotonic() - began < 2

        for client in clients:
            assert is_over(client)
    assert time.monotonic() - began < 10


WHOLE = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        WHOLE + b"GET /ap",
        WHOLE + b"GET /api/v1/health HTTP/1.1\r\nX: y\n\n",
        b"GET /api/v1/health HTTP/1.1\n\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 16_500,
        b"GET /" + b"a" * 20_000,
    ],
    ids=["part of a second", "a second of bare lines", "bare lines", "empty lines", "long head", "long line"],
)
def test_strangers_that_come_again_and_again_hold_nobody_up(running: ApiProcess, sent: bytes) -> None:
    with crowd(running, sent):
        assert slowest(running) < 1


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00", b""], ids=["half a hello", "nothing"])
def test_strangers_to_tls_hold_nobody_up(with_tls: ApiProcess, sent: bytes) -> None:
    with crowd(with_tls, sent):
        assert slowest(with_tls) < 1.5


def test_strangers_that_never_ask_over_tls_hold_nobody_up(with_tls: ApiProcess) -> None:
    trusting = ssl.create_default_context(cafile=with_tls.options["verify"])
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        for number in range(150):
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", with_tls.port), timeout=30))
            client = stack.enter_context(trusting.wrap_socket(plain, server_hostname="127.0.0.1"))
            client.sendall(WHOLE * (number % 2) + b"GET /ap")
        assert slowest(with_tls) < 1.5
    assert time.monotonic() - began < HEAD_SECONDS - 0.5  # they themselves were not held up either


@contextlib.contextmanager
def crowd(running: ApiProcess, sent: bytes) -> Iterator[None]:
    """150 sockets that send this and never read on; who is hung up on connects anew."""
    clients: list[socket.socket] = []
    stopped = threading.Event()

    def come_again() -> None:
        while not stopped.is_set():
            for client in gone(clients):
                clients.remove(client)
                client.close()
            while len(clients) < 150:
                clients.append(socket.create_connection(("127.0.0.1", running.port), timeout=10))
                with contextlib.suppress(OSError):
                    clients[-1].sendall(sent)
            stopped.wait(0.05)

    thread = threading.Thread(target=come_again)
    thread.start()
    wait_until(lambda: len(clients) == 150 or not thread.is_alive(), 20, "they are all there")
    try:
        yield
    finally:
        stopped.set()
        thread.join()
        for client in clients:
            client.close()


def gone(clients: list[socket.socket]) -> list[socket.socket]:
    """Those that the server has hung up on; what it answered is read."""
    readable, _, _ = select.select(clients, [], [], 0) if clients else ([], [], [])
    found = []
    for client in readable:
        try:
            if not client.recv(65536):
                found.append(client)
        except OSError:
            found.append(client)
    return found


def slowest(running: ApiProcess) -> float:
    """Seconds of the slowest of some answers."""
    seconds = []
    for _ in range(8):
        began = time.monotonic()
        good(running.get("/health", timeout=20))
        seconds.append(time.monotonic() - began)
    return max(seconds)


def test_tls_in_pieces_is_read(with_tls: ApiProcess) -> None:
    trusting = ssl.create_default_context(cafile=with_tls.options["verify"])
    with (
        socket.create_connection(("127.0.0.1", with_tls.port), timeout=20) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        for pieces in ((WHOLE,), (WHOLE[:9], WHOLE[9:30], WHOLE[30:])):  # the connection is kept
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.02)  # so that the pieces arrive one by one
            assert one_answer(client).startswith(b"HTTP/1.1 200")
        client.sendall(WHOLE * 2 + WHOLE[:20])
        client.sendall(WHOLE[20:].replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        assert client.makefile("rb").read().count(b"HTTP/1.1 200") == 3


def one_answer(client: socket.socket) -> bytes:
    """Over TLS head and body come one by one."""
    found = b""
    while not found.endswith(b'"error":null}'):
        found += client.recv(65536)
    return found


def test_a_second_head_that_comes_in_two_pieces_is_answered(running: ApiProcess) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(WHOLE + WHOLE[:20])
        assert one_answer(client).startswith(b"HTTP/1.1 200")
        client.sendall(WHOLE[20:])

        assert one_answer(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "status"), [(b"GET / HTTP/1.1\r\nX: " + b"a" * 16_500, 431), (b"GET /" + b"a" * 20_000, 414)]
)
def test_a_head_over_the_limit_is_refused_before_it_ends(
    running: ApiProcess, sent: bytes, status: int
) -> None:
    began = time.monotonic()

    assert exchange(running, sent)[0] == status
    assert time.monotonic() - began < 4


def is_over(client: socket.socket) -> bool:
    """Wait for something or for the end."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_clients_that_do_not_hang_up_hold_nobody_up(running: ApiProcess) -> None:
    with connections(running, 3 * WORKERS, b"GET /api/v1/health " + HEAD + b"\r\n") as clients:
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 200"
        began = time.monotonic()
        for _ in range(5 * WORKERS):
            good(requests.get(running.url + "/api/v1/health", timeout=10))

        assert time.monotonic() - began < 1


def test_bodies_that_never_come_cost_no_thread(running: ApiProcess) -> None:
    sent = b"PUT /api/v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nab"
    with connections(running, 3 * WORKERS * THREADS, sent) as clients:
        began = time.monotonic()
        for client in clients:
            assert client.recv(12) == b"HTTP/1.1 405"
        good(running.get("/health", timeout=10))

        assert time.monotonic() - began < 10


def test_who_sends_too_much_reads_the_refusal(running: ApiProcess) -> None:
    for _ in range(5):
        answer = requests.put(running.url + "/api/v1/health", data=b"x" * 3_000_000, timeout=10)
        bad(answer, 413, "payload_too_large")


def test_a_head_in_pieces_is_read(running: ApiProcess) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for more in (b"X-Longer: " + b"x" * 500 + b"\r\n", b"", b"A: b\r\n"):  # the connection is kept
            for piece in (b"GE", b"T /api/v1/health HTTP", b"/1.1\r\nHost: x\r\n", more, b"\r", b"\n"):
                client.sendall(piece)
                time.sleep(0.02)  # so that the pieces arrive one by one
            assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_requests_in_one_packet_are_answered_in_turn(running: ApiProcess) -> None:
    one = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(one * 3 + b"GET /api/v1/health " + HEAD + b"\r\n")

        assert client.makefile("rb").read().count(b"HTTP/1.1 200") == 4


def test_a_head_that_ends_in_the_middle_is_no_request(running: ApiProcess) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as client:
        client.sendall(b"GET /api/v1/he")
        client.shutdown(socket.SHUT_WR)

        assert client.recv(1) == b""


def test_a_client_that_drips_is_cut_off_by_the_clock(running: ApiProcess) -> None:
    began = time.monotonic()
    with (
        connections(running, 1, b"GET /api/v1/health HTTP/1.1\r\nX: ") as [client],
        contextlib.suppress(OSError),
    ):
        client.settimeout(0.2)
        while time.monotonic() - began < 20:
            client.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                if not client.recv(1):
                    break

    assert 4 < time.monotonic() - began < 10


def test_a_thousand_idle_connections_are_no_attack(running: ApiProcess) -> None:
    with connections(running, 500, b""):
        began = time.monotonic()
        good(running.get("/health", timeout=10))

        assert time.monotonic() - began < 2


def workers(running: ApiProcess) -> list[str]:
    """What the kernel says about each worker: /proc/PID/status."""
    return [Path(f"/proc/{worker}/status").read_text() for worker in running.workers()]


def test_what_a_worker_writes_is_its_own(running: ApiProcess) -> None:
    good(running.ask("GET", "/-/ready"))

    for file in (running.folder / "state").rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    assert [field(worker, "Umask") for worker in workers(running)] == ["0077"] * WORKERS


def field(status: str, name: str) -> str:
    return next(line.split()[1] for line in status.splitlines() if line.startswith(name))


def test_a_worker_is_small(running: ApiProcess) -> None:
    for _ in range(20):
        assert requests.get(running.url + "/api/v1/openapi.json", timeout=20).ok

    assert all(int(field(worker, "VmRSS")) < 150 * 1024 for worker in workers(running))

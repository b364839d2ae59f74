"""`clustersight healthy` against servers that answer this or that; the real ones are in test_up.py."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from clustersight.commands.healthy import Unhealthy, ask, healthy, url_of
from clustersight.process.serving import Server
from tests.servers.certificates import Certificates

Serve = Callable[[int], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that starts a server which answers one status to everything; returns its URL."""
    servers: list[HTTPServer] = []

    def start(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"the scheduler\nhas not turned" + 5000 * b"!")

            def log_message(self, *_: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=[0.05], daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_an_answer_means(serve: Serve) -> None:
    assert ask(serve(200)) == "healthy"
    assert "password" in ask(serve(401))
    with pytest.raises(Unhealthy, match="503 the scheduler has not turned") as found:
        ask(serve(503))
    assert len(str(found.value)) < 300


def asked_over_tls(context: ssl.SSLContext) -> str:
    """What a process of ours with this TLS is told to be."""

    def app(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "0")])
        return []

    server = Server("127.0.0.1", 0, app, lambda: context)  # type: ignore[arg-type]
    server.start()
    try:
        return ask(f"https://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_certificate_for_another_name_is_no_matter(certificates: Certificates) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.wrong_host.certificate, certificates.wrong_host.key)

    assert asked_over_tls(context) == "healthy"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_asks_for_a_certificate_is_alive(certificates: Certificates, version: ssl.TLSVersion) -> None:
    """Else a container with client_auth_type RequireAndVerifyClientCert would be unhealthy for ever."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.valid.certificate, certificates.valid.key)
    context.load_verify_locations(certificates.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version

    assert asked_over_tls(context) == "alive, but what it says of itself needs a client's certificate"


def test_who_speaks_no_tls_is_not_what_was_meant(serve: Serve) -> None:
    with pytest.raises(Unhealthy, match="no TLS as it should be"):
        ask(serve(200).replace("http:", "https:"))


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (":9116", "http://127.0.0.1:9116"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::]:9116", "http://[::1]:9116"),
        ("10.0.0.7:9116", "http://10.0.0.7:9116"),
    ],
)
def test_every_interface_is_asked_on_this_machine(tmp_path: Path, listen: str, url: str) -> None:
    file = tmp_path / "clustersight.yaml"
    file.write_text(f"exporter: {{listen: '{listen}', allow_open: true}}\n")

    assert url_of("exporter", file) == url


def test_a_port_that_only_the_process_knows(tmp_path: Path) -> None:
    file = tmp_path / "clustersight.yaml"
    file.write_text("exporter: {listen: '127.0.0.1:0'}\n")
    found = CliRunner().invoke(healthy, ["exporter", "--config", str(file)])

    assert found.exit_code == 1
    assert "give its URL" in found.stderr


@pytest.mark.parametrize("what", ["exportr", "http://", "http://host:port", "ftp://host", "http://host:0"])
def test_what_is_neither_a_process_nor_a_url(what: str) -> None:
    found = CliRunner().invoke(healthy, [what])

    assert found.exit_code == 2
    assert "exporter, alerter, api" in found.stderr

"""What people and scrapers meet at the exporter's port."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.exporter.conftest import QUICK, new
from tests.servers.certificates import Certificates
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until

Exporters = Callable[..., ExporterProcess]


@pytest.fixture
def running(exporter: Exporters, embedded: EmbeddedServer) -> ExporterProcess:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_collected()
    return started


def test_gzip_is_the_same_page(running: ExporterProcess) -> None:
    with requests.get(running.url + "/metrics", headers={"Accept-Encoding": "gzip"}, stream=True) as answer:
        packed = answer.raw.read()

    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"# TYPE clickhouse_up gauge" in gzip.decompress(packed)


@pytest.mark.parametrize("encoding", ["identity", "gzip;q=0", "br"])
def test_who_does_not_take_gzip_gets_none(running: ExporterProcess, encoding: str) -> None:
    answer = running.get("/metrics", **{"Accept-Encoding": encoding})

    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_openmetrics_on_demand_says_the_same(running: ExporterProcess) -> None:
    answer = running.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")

    families = list(text_string_to_metric_families(answer.text))
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
    assert {"clickhouse_up", "clustersight_build_info"} <= {s.name for f in families for s in f.samples}


def test_one_panel_of_one_cluster(running: ExporterProcess) -> None:
    names = {name for name, _ in running.series("/metrics?cluster=new&panel=disk")}

    assert "clickhouse_disk_usage_ratio" in names
    assert all(name.startswith("clickhouse_disk_") for name in names)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("cluster=nope", "there are: new"),
        ("cluster=new&panel=disc", "disk"),
        ("panel=disk", "there are: new"),
    ],
)
def test_an_unknown_cluster_or_panel_is_told_what_there_is(
    running: ExporterProcess, query: str, told: str
) -> None:
    answer = running.get("/metrics?" + query)

    assert answer.status_code == 404
    assert told in answer.text


def test_the_landing_page_links_what_it_shows(running: ExporterProcess) -> None:
    answer = running.get("/")

    assert "/metrics?cluster=new&amp;panel=disk" in answer.text
    assert "ClickHouse 26.9" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_healthy_and_ready(running: ExporterProcess) -> None:
    assert running.get("/-/healthy").text == "ClusterSight exporter is healthy.\n"
    assert running.get("/-/ready").text == "ClusterSight exporter is ready.\n"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("POST", "/metrics", 405), ("GET", "/-/reload", 405), ("HEAD", "/metrics", 200)],
)
def test_other_paths_and_methods(running: ExporterProcess, method: str, path: str, status: int) -> None:
    answer = requests.request(method, running.url + path, timeout=5)

    assert answer.status_code == status
    assert method != "HEAD" or answer.text == ""


@pytest.mark.parametrize("request_line", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET " + b"a" * 70000, b"\r\n"])
def test_garbage_at_the_port_harms_nobody(running: ExporterProcess, request_line: bytes) -> None:
    port = int(running.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(request_line)

    assert running.get("/-/healthy").ok


def test_many_clients_that_say_nothing_do_not_keep_a_scraper_out(running: ExporterProcess) -> None:
    port = int(running.url.rsplit(":", 1)[1])
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(100)]
    try:
        assert running.get("/metrics").ok
    finally:
        for sock in silent:
            sock.close()


def test_it_is_ready_only_after_the_first_visits(exporter: Exporters) -> None:
    from tests.servers.misbehaving import SilentPeer

    with SilentPeer() as silent:
        hung = {"name": "hung", "host": "127.0.0.1", "port": silent.port, "protocol": "native"}
        started = exporter({"clusters": [hung], "collection": QUICK})

        assert started.get("/-/ready").status_code == 503
        named = "waiting for the first visit of: hung/127.0.0.1"
        wait_until(lambda: named in started.get("/-/ready").text, 10, "the node is waited for")
        assert started.get("/-/ready").status_code == 503
        started.wait_collected()


def test_tls_and_basic_auth_of_a_web_config_file(
    exporter: Exporters, embedded: EmbeddedServer, certificates: Certificates, tmp_path: Path
) -> None:
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
    web.write_text(
        f"tls_server_config:\n  cert_file: {certificates.valid.certificate}\n"
        f"  key_file: {certificates.valid.key}\nbasic_auth_users:\n  prometheus: {hashed}\n"
    )
    options = {"verify": str(certificates.authority), "auth": ("prometheus", "open sesame")}
    config = {"clusters": [new(embedded)], "collection": QUICK, "exporter": {"web_config_file": str(web)}}
    started = exporter(config, options=options)

    assert started.url.startswith("https://")
    assert started.get("/metrics").ok
    for auth in (None, ("prometheus", "wrong"), ("nobody", "open sesame")):
        refused = requests.get(
            started.url + "/metrics", verify=str(certificates.authority), auth=auth, timeout=5
        )
        assert refused.status_code == 401
        assert "Basic" in refused.headers["WWW-Authenticate"]


def test_a_handshake_that_never_ends_keeps_nobody_out(
    exporter: Exporters, embedded: EmbeddedServer, certificates: Certificates, tmp_path: Path
) -> None:
    web = tmp_path / "web.yml"
    web.write_text(
        f"tls_server_config:\n  cert_file: {certificates.valid.certificate}\n"
        f"  key_file: {certificates.valid.key}\n"
    )
    config = {"clusters": [new(embedded)], "collection": QUICK, "exporter": {"web_config_file": str(web)}}
    started = exporter(config, options={"verify": str(certificates.authority)})
    port = int(started.url.rsplit(":", 1)[1])

    with socket.create_connection(("127.0.0.1", port), timeout=5):
        assert started.get("/-/healthy").ok

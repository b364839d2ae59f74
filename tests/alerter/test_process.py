"""The alerter as a process: pages, reload, readiness, the heartbeat, and that no secret shows."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from alerter.heartbeat import Heartbeat
from clustersight.alerter_metrics import ALERTER
from tests.alerter.feeding import Feeder
from tests.alerter.harness import one_rule
from tests.alerter.test_killed import FULL, config, told
from tests.conftest import factory
from tests.servers.alerter import AlerterProcess
from tests.servers.process import ServerError, wait_until
from tests.servers.prometheus import promtool
from tests.servers.slack import NO_SERVICE, SECRET, SlackStub

Start = Callable[..., AlerterProcess]


@pytest.fixture
def alerter(tmp_path: Path) -> Iterator[Start]:
    yield from factory(AlerterProcess, tmp_path)


@pytest.fixture
def feeder(tmp_path: Path) -> Iterator[Feeder]:
    found = Feeder(tmp_path / "state")
    yield found
    found.close()


def values(process: AlerterProcess) -> dict[tuple[str, ...], float]:
    """Every sample of /metrics by name and label values."""
    page = process.get("/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_its_pages_are_there_and_promtool_has_nothing_to_say(
    tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Start
) -> None:
    process = alerter(config(tmp_path, stub))
    process.wait_for(process.is_ready, "ready")
    feeder.disks({"disk1x0": FULL})
    wait_until(lambda: told(feeder) == {"disk1x0"}, 30, "told")
    page = process.get("/metrics").text
    answer = promtool("check", "metrics", input=page)
    assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")
    found = values(process)
    assert found["clustersight_alerter_rules_loaded",] == 1
    assert found["clustersight_alerter_notifications_total", "slack", "delivered"] == 1
    assert found["clustersight_alerter_outbox_rows", "delivered"] == 1
    firing = [key[1:] for key in found if key[0] == "clustersight_alerter_firing_alerts"]
    assert [(name, severity) for name, _, severity in firing] == [("DiskFilling", "warning")]
    assert {m.name for m in ALERTER} - {family.name for family in families(page)} == set()
    assert process.get("/-/healthy").ok
    status = process.get("/-/status").json()
    assert (status["rules"], status["alerts"]["warning"], status["ready"]) == (1, 1, True)
    assert process.get("/nothing").status_code == 404


def families(page: str) -> Iterator[object]:
    for family in text_string_to_metric_families(page):
        if family.type == "counter":
            family.name += "_total"
        yield family


def test_a_reload_takes_over_good_rules_and_refuses_bad_ones(
    tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Start
) -> None:
    process = alerter(config(tmp_path, stub))
    process.wait_for(process.is_ready, "ready")
    file = tmp_path / "rules" / "rules.yaml"
    good = file.read_text()
    file.write_text(good.replace("threshold", "treshold"))
    answer = process.reload()
    assert answer.status_code == 500
    assert "rules.yaml:" in answer.text
    assert "threshold" in answer.text
    assert values(process)["clustersight_alerter_config_last_reload_successful",] == 0
    file.write_text(good.replace("threshold: 85", "threshold: 5"))
    process._signal(signal.SIGHUP)
    process.wait_for(
        lambda: values(process)["clustersight_alerter_config_last_reload_successful",] == 1, "taken over"
    )
    feeder.disks({"disk1x0": 10.0})
    wait_until(lambda: told(feeder) == {"disk1x0"}, 30, "the new threshold counts")


def test_a_bad_configuration_at_the_start_is_one_clear_message(tmp_path: Path, alerter: Start) -> None:
    with pytest.raises(ServerError, match=r"clustersight\.yaml:\d+:\d+: .*colection.*collection"):
        alerter({"colection": {"interval_sec": 5}})
    bad = tmp_path / "bad.yaml"
    bad.write_text(one_rule(treshold=3))
    with pytest.raises(ServerError, match=r"bad\.yaml:\d+:\d+: .*treshold"):
        alerter({"rules": {"builtin": False, "paths": [str(bad)]}})


def test_it_does_not_listen_openly_unless_told_to(alerter: Start) -> None:
    command = [sys.executable, "-P", "-m", "alerter", "--listen", "0.0.0.0:0"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "allow_open" in answer.stderr


def test_no_secret_shows_anywhere(tmp_path: Path, stub: SlackStub, feeder: Feeder, alerter: Start) -> None:
    stub.default = NO_SERVICE
    process = alerter(config(tmp_path, stub))
    process.wait_for(process.is_ready, "ready")
    feeder.disks({"disk1x0": FULL})
    wait_until(lambda: any(row.attempts for row in feeder.rows()), 30, "a try failed")
    shown = [process.get(path).text for path in ("/", "/metrics", "/-/status", "/-/ready")]
    shown += [process.logs(), *(row.last_error for row in feeder.rows())]
    assert [text for text in shown if SECRET in text] == []


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Somebody who notes who asked for what."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ping/{SECRET}", asked
        server.shutdown()


@pytest.mark.parametrize("answer", [(200, "sent"), (500, "failed")], ids=["taken", "refused"])
def test_the_heartbeat_is_sent_after_each_evaluation(
    tmp_path: Path, stub: SlackStub, alerter: Start, answer: tuple[int, str]
) -> None:
    status, outcome = answer
    with receiver(status) as (url, asked):
        process = alerter(config(tmp_path, stub, alerter={"heartbeat_url": url}))
        wait_until(lambda: len(asked) >= 2, 30, "two heartbeats")
        process.wait_for(
            lambda: values(process)["clustersight_alerter_heartbeats_total", outcome] >= 2, "they are counted"
        )
        assert SECRET not in process.logs()


def test_without_clusters_it_waits_and_is_ready(tmp_path: Path, alerter: Start) -> None:
    process = alerter({"data_dir": str(tmp_path / "empty"), "collection": {"interval_sec": 5}})
    process.wait_for(process.is_ready, "ready")
    assert process.get("/-/status").json()["rules"] > 30
    assert requests.post(f"{process.url}/metrics", timeout=5).status_code == 405


@pytest.mark.parametrize(
    "url", ["http://a..b/ping", "http://127.0.0.1:1/ping", "http://" + "x" * 70 + ".example/ping"]
)
def test_a_heartbeat_that_cannot_be_sent_is_counted_and_logged_without_its_url(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat = Heartbeat()
    heartbeat.beat(SecretStr(url))
    wait_until(lambda: heartbeat.failed == 1, 20, "it failed")
    assert heartbeat.sent == 0
    assert "ping" not in caplog.text


def test_a_redirect_is_no_heartbeat() -> None:
    with receiver(301) as (url, asked):
        heartbeat = Heartbeat()
        heartbeat.beat(SecretStr(url))
        wait_until(lambda: heartbeat.failed == 1, 20, "nobody counted it")
        assert len(asked) == 1

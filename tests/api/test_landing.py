"""The landing page in every state: what is wrong comes first, and what is not known never looks fine."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import re
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from api.landing.facts import MOST_ALERTS, MOST_CLUSTERS
from api.landing.places import Places
from api.landing.views import NAME_SIZE, Link
from api.panels.scoring import EXAMPLE
from clustersight.panels.panel import Status
from clustersight.process.leadership import LEASE_SECONDS
from clustersight.settings.model import Settings
from clustersight.settings.notify import Severity
from clustersight.store import alert_changes, alerts, clusters, health_scores, leases, nodes, snapshots
from clustersight.store.clusters import Description
from clustersight.store.health_scores import StoredScore
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot
from tests.api.alerting import DISK, cluster_of, fired, lead
from tests.api.answers import LEAKS, good
from tests.api.conftest import Client
from tests.api.markup import Element, parsed
from tests.api.test_auth import PASSWORD, TOKEN, basic, bearer

NewClient = Callable[..., Client]
SCRIPT = "<script>alert(1)</script>"
WELL = "All is well"


@pytest.fixture(params=["sqlite"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """One kind of store is enough: the page has no SQL of its own."""
    return {"data_dir": str(tmp_path)}


def landing(client: Client, path: str = "/", **options: Any) -> Element:
    """The page as it is read."""
    answer = client.ask("GET", path, **options)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return parsed(answer.text)


def headline(page: Element) -> str:
    return page.one("h1").text


def level(page: Element) -> str:
    """How bad the page as a whole looks."""
    [found] = page.one("section", "verdict").classes - {"verdict"}
    return found


def cluster(client: Client, name: str = "one", **more: Any) -> None:
    """Somebody has made a cluster over the API."""
    good(client.post("/clusters", {"host": "ch1", "port": 8123, "name": name, **more}), 201)


def node(client: Client, host: str = "ch1", **more: Any) -> None:
    """The exporter has visited a node of the only cluster just now."""
    known = {"address_host": host, "address_port": 1, "is_configured": host == "ch1", "is_up": True}
    known |= {"visited_at": client.time.now, "version": "26.9.1.1"}
    cluster_id = cluster_of(client.store)
    with client.store.database.begin() as db:
        nodes.put(db, StoredNode(cluster_id, host, **(known | more)))


def panel(
    client: Client, name: str = "disk", host: str = "ch1", status: Status = Status.OK, error: str = ""
) -> None:
    """A panel has just run."""
    now = client.time.now
    read = now if status is Status.OK else None
    run = Snapshot(cluster_of(client.store), name, host, status, error, now, 0.01, 1, read, [], [])
    with client.store.database.begin() as db:
        snapshots.put(db, [run])


def score(client: Client, value: float | None = 96.0, grade: str | None = "A+", **explained: Any) -> None:
    cluster_id, explanation = cluster_of(client.store), {**EXAMPLE, **explained}
    with client.store.database.begin() as db:
        health_scores.put(db, StoredScore(cluster_id, int(client.time.now), value, grade, explanation))


def run_processes(client: Client) -> None:
    """Exporter and alerter hold their leases."""
    lead(client)
    with client.store.database.begin() as db:
        leases.take(db, "exporter", "test", leases.clock(db, client.time.now), LEASE_SECONDS)


@pytest.fixture
def healthy(client: Client) -> Client:
    """A cluster of one node, all of it read just now."""
    cluster(client)
    node(client)
    panel(client)
    score(client)
    run_processes(client)
    return client


def change(client: Client, alert_id: str, **detail: Any) -> None:
    """The alerter writes something else into an alert's detail."""
    with client.store.database.begin() as db:
        found = alerts.get(db, alert_id)
        assert found is not None
        alert_changes.change(db, {alert_id: (found.severity, {**found.detail, **detail})})


# What it says of clusters.


def test_without_a_cluster_it_says_what_to_do(client: Client) -> None:
    page = landing(client)

    assert headline(page) == "No cluster is watched yet"
    assert level(page) == "no-data"
    assert "clustersight cluster grants" in page.text
    assert "clustersight exporter" in page.text


def test_a_cluster_that_is_read_and_has_no_alert_is_well(healthy: Client) -> None:
    page = landing(healthy)

    assert headline(page).startswith(WELL)
    assert level(page) == "ok"
    [shown] = page.all("article", "cluster")
    assert shown.one("p", "score").text == "96 A+"
    assert "1 of 1 node up · 1 of 1 panel fresh" in shown.text
    assert "Storage" in shown.text
    assert "-18 a disk is 84 % full" in shown.text
    assert [row.text for row in shown.one("table", "panels").all("tr")][1] == "disk ch1 ok 0 s ago"


def test_a_cluster_that_nobody_has_visited(client: Client) -> None:
    cluster(client)

    page = landing(client)

    assert headline(page) == "No current data of the only cluster"
    assert level(page) == "no-data"
    assert "Nobody has looked yet" in page.text
    assert "No exporter is running" in page.text
    assert "No alerter is running" in page.text


@pytest.mark.parametrize("later", [151, 3600, 30 * 86400])
def test_what_is_old_never_looks_fine(healthy: Client, later: int) -> None:
    healthy.time.now += later
    run_processes(healthy)

    page = landing(healthy)

    assert level(page) == "no-data"
    assert WELL not in page.text
    [shown] = page.all("article", "cluster")
    assert shown.classes & {"ok", "no-data"} == {"no-data"}
    assert "96" not in shown.text
    assert not shown.all("table", "components")
    assert not shown.all("span", "ok")
    assert "Nobody has looked for" in shown.one("p", "why").text
    assert "stale" in shown.one("table", "panels").text


def test_an_alert_of_a_cluster_that_is_not_seen_says_so(healthy: Client) -> None:
    fired(healthy)
    assert not landing(healthy).all("p", "note")

    healthy.time.now += 3600
    page = landing(healthy)

    assert headline(page) == "1 critical alert"
    assert "No current data of the only cluster" in page.one("section", "verdict").text
    assert "when its cluster was last seen" in page.one("p", "note").text


def test_a_clock_that_was_set_back_makes_nothing_fresh(healthy: Client) -> None:
    healthy.time.now -= 3600
    run_processes(healthy)

    page = landing(healthy)

    assert level(page) == "no-data"
    assert not page.all("span", "ok")
    assert "in the future (check the clocks)" in page.text


def test_a_score_that_is_not_computed_yet(client: Client) -> None:
    cluster(client)
    node(client)
    panel(client)
    run_processes(client)

    page = landing(client)

    assert level(page) == "no-data"
    assert "not computed yet" in page.one("p", "why").text
    assert page.one("p", "score").text == "? no score"


def test_a_score_of_too_little(healthy: Client) -> None:
    score(healthy, None, None)

    page = landing(healthy)

    assert level(page) == "no-data"
    assert "Too little is known" in page.one("p", "why").text


def test_without_an_alerter_no_alert_means_nothing(healthy: Client) -> None:
    healthy.time.now += LEASE_SECONDS + 1  # fresh still, but no lease holds

    page = landing(healthy)

    assert headline(page) == "Nothing is judged: no alerter is running"
    assert level(page) == "no-data"
    assert "nothing would fire" in page.one("p", "none").text


def test_a_bad_score_without_an_alert_is_not_well(healthy: Client) -> None:
    score(healthy, 30.0, "F")

    page = landing(healthy)

    assert level(page) == "critical"
    assert headline(page) == "No alert fires, but look at the only cluster"


def test_a_node_that_is_down_is_told_once(healthy: Client) -> None:
    node(healthy, "ch2", is_up=False, error="ch2:1: connection refused")
    for name in ("disk", "parts", "merges"):
        panel(healthy, name, "ch2", Status.ERROR, "no connection")

    page = landing(healthy)

    assert level(page) == "warning"
    rows = [row.text for row in page.one("table", "nodes").all("tr")]
    assert rows[1] == "ch2 26.9.1.1 ch2:1: connection refused down"
    assert rows[2].endswith("up")
    assert "no connection" not in page.text
    assert "1 of 2 nodes up" in page.text


def test_a_panel_that_fails_says_why_and_comes_first(healthy: Client) -> None:
    refused = "clustersight_ro: Not enough privileges. To execute this query, SELECT ON system.parts"
    panel(healthy, "parts", status=Status.ACCESS_DENIED, error=refused)
    panel(healthy, "errors", status=Status.ERROR, error="Code: 60. SELECT secret FROM customers")
    panel(healthy, "keeper", status=Status.UNSUPPORTED, error="no system.zookeeper_connection")
    panel(healthy, "rule:Mine", status=Status.ERROR, error="DB::Exception: secret")

    page = landing(healthy)

    troubled, calm = page.all("table", "panels")
    assert "GRANT SELECT" in troubled.text
    assert "access denied" in troubled.text
    assert "rule:Mine" in troubled.text
    assert "secret" not in page.text
    assert "no system.zookeeper_connection" in calm.text
    assert "1 of 4 panels fresh" in page.text
    assert level(page) == "warning"


def test_a_cluster_of_which_no_node_answers(healthy: Client) -> None:
    node(healthy, is_up=False, error="ch1:1: connection refused")

    page = landing(healthy)

    assert headline(page) == "No current data of the only cluster"
    assert level(page) == "no-data"
    assert page.one("p", "why").text == "No node answers."
    assert "connection refused" in page.one("table", "nodes").text


def test_a_cluster_that_cannot_be_watched(client: Client) -> None:
    cluster_of(client.store)  # with settings of no release
    node(client)
    panel(client)
    score(client)
    run_processes(client)

    page = landing(client)

    assert level(page) == "warning"
    assert "It is not watched: " in page.one("p", "why").text
    assert "enter it anew" in page.one("p", "why").text


def test_what_is_no_panel_is_none(healthy: Client) -> None:
    panel(healthy, "collector")

    assert "collector" not in landing(healthy).text


# What it says of alerts.


def test_an_alert_has_all_that_one_needs(healthy: Client) -> None:
    rule = dataclasses.replace(DISK, description="It fills.", fix="ALTER TABLE a\n  DROP PART 'x';")
    alert_id = fired(healthy, rule, at=healthy.time.now - 7300)

    page = landing(healthy)

    assert headline(page) == "1 critical alert"
    assert level(page) == "critical"
    [shown] = page.all("article", "alert")
    assert shown.attributes["id"] == alert_id
    assert shown.one("h3").text == "DiskUsage"
    assert shown.one("span", "badge").text == "critical"
    assert shown.one("p", "since").text == "for 2 h 1 min"
    assert "".join(shown.one("pre").parts) == "ALTER TABLE a\n  DROP PART 'x';"
    assert "open" in shown.one("details", "fix").attributes
    assert "Disk default is at 91%" in shown.text
    assert "It fills." in shown.text
    assert "91 % > 85 %" in shown.text
    rows = dict(tuple(cell.text for cell in row.children) for row in shown.one("table", "pairs").all("tr"))
    assert rows["firing since"] == "2026-03-22 11:58:20 UTC"
    assert rows["disk"] == "default"
    assert rows["team"] == "data"
    assert [(one.text, one.attributes["href"]) for one in shown.all("a")] == [
        ("Runbook", "https://runbook.example/disk"),
        ("Course and deliveries", f"api/v1/alerts/{alert_id}"),
    ]


def test_the_worst_comes_first(healthy: Client) -> None:
    calm = dataclasses.replace(DISK, name="Calm", severity=Severity.WARNING)
    fired(healthy, dataclasses.replace(DISK, name="Seen"))
    healthy.post(f"/alerts/{only(healthy)}/acknowledge", {"by": "ann"})
    fired(healthy, calm)
    fired(healthy, DISK)

    page = landing(healthy)

    assert [one.one("h3").text for one in page.all("article", "alert")] == ["DiskUsage", "Calm", "Seen"]
    assert [one.all("a")[0].text for one in page.one("ol", "index").all("li")] == [
        "DiskUsage",
        "Calm",
        "Seen",
    ]
    assert headline(page) == "2 critical alerts, 1 warning"
    assert "Acknowledged: 1 of 3 alerts." in page.text


def only(client: Client) -> str:
    with client.store.database.read() as db:
        [found] = alerts.open_ones(db)
    return found.id


def test_quiet_alerts_say_why(healthy: Client) -> None:
    acknowledged, snoozed, silenced, follows = (fired(healthy) for _ in range(4))
    healthy.post(f"/alerts/{acknowledged}/acknowledge", {"by": SCRIPT})
    healthy.post(f"/alerts/{snoozed}/snooze", {"duration_minutes": 60})
    change(healthy, silenced, silenced_by="si_0123456789ab")
    change(healthy, follows, inhibited_by="NodeDown")

    page = landing(healthy)

    notes = {one.attributes["id"]: one.all("p", "note")[-1].text for one in page.all("article", "quiet")}
    assert notes == {
        acknowledged: f"Nobody is told again: acknowledged by {SCRIPT}.",
        snoozed: "Nobody is told again: snoozed until 2026-03-22 15:00:00 UTC.",
        silenced: "Nobody is told again: silenced by si_0123456789ab.",
        follows: "Nobody is told again: follows from NodeDown.",
    }
    assert not [one for one in page.all("details", "fix") if "open" in one.attributes]


def test_a_fix_that_was_cut_is_not_to_be_run(healthy: Client) -> None:
    fired(healthy, dataclasses.replace(DISK, fix="-- long\n" * 3000))

    page = landing(healthy)

    assert "Only its beginning: do not run it" in page.text
    assert page.one("pre").text.endswith("…")


def test_an_alert_without_a_value_and_a_row(healthy: Client) -> None:
    change(healthy, fired(healthy, value=None), evidence=None, description="", labels={})

    assert "DiskUsage" in landing(healthy).text


def test_hundreds_are_bounded_and_counted(client: Client) -> None:
    for number in range(MOST_ALERTS + 250):
        name = f"Rule{number:03}"
        severity = Severity.CRITICAL if number == 7 else Severity.WARNING
        fired(client, dataclasses.replace(DISK, name=name, severity=severity))
    with client.store.database.begin() as db:
        for number in range(MOST_CLUSTERS + 79):
            clusters.create(db, Description(f"c{number}", f"h{number}", 1), None, 0.0)

    answer = client.ask("GET", "/")
    page = parsed(answer.text)

    shown = page.all("article", "alert")
    assert len(shown) == MOST_ALERTS
    assert shown[0].one("h3").text == "Rule007"
    assert page.one("ol", "index").text.endswith("and more below")
    assert "250 more alerts are not shown here. All alerts in the API" in page.text
    assert len(page.all("article", "cluster")) == MOST_CLUSTERS
    assert page.all("article", "cluster")[0].one("h3").text == "one"
    assert "80 more clusters are not shown here. All clusters in the API" in page.text
    assert headline(page) == "1 critical alert, 299 warnings"
    assert "No current data of all 100 clusters: what fires there may be old" in page.text
    assert len(answer.data) < 500_000


def test_a_cluster_with_very_many_nodes_is_bounded(healthy: Client) -> None:
    for number in range(60):
        node(healthy, f"n{number}")
        for name in ("disk", "parts", "merges"):
            panel(healthy, name, f"n{number}", Status.ERROR if name == "disk" else Status.OK)
    node(healthy, "zz", is_up=False)

    page = landing(healthy)

    assert "zz" in page.one("table", "nodes").all("tr")[1].text
    assert "32 more nodes are not shown here" in page.text
    assert "20 more of them are not shown here" in page.text
    assert "1 more are not shown here" in page.text


# What it is not to do.


def test_strangers_texts_are_text(client: Client, new_client: NewClient) -> None:
    with client.store.database.begin() as db:
        clusters.create(db, Description(f"{SCRIPT}&amp;", SCRIPT, 1), None, 0.0)
    node(client, host=SCRIPT, version=SCRIPT, error=SCRIPT, is_up=False, shard=SCRIPT)
    panel(client, f"rule:{SCRIPT}", SCRIPT)
    part = {"score": 5.0, "label": SCRIPT, "deductions": [], "missing": [SCRIPT], "note": "", "weight": 1}
    off = {"points": 1.0, "reason": SCRIPT, "labels": {"database": SCRIPT, "table": SCRIPT}}
    score(client, 5.0, SCRIPT, components={SCRIPT: part | {"deductions": [off]}})
    hostile = f"{SCRIPT}\" onload='x' \u202e\x00\ud83d{{{{ 7 * 7 }}}}"
    rule = dataclasses.replace(DISK, name=SCRIPT, labels={"a": hostile}, runbook_url="javascript:alert(1)")
    changed = dict.fromkeys(("summary", "description", "fix_command", "cluster_name"), hostile)
    change(client, fired(client, rule), **changed, evidence={hostile: hostile}, labels={"x": hostile})
    client.app.extensions["clustersight"].settings = Settings.model_validate(
        {"grafana": {"url": "https://g.example/\"'><script>"}}
    )

    answer = client.ask("GET", "/")
    page = parsed(answer.text)  # which fails on scripts and on attributes that run something

    assert page.text.count(SCRIPT) > 10
    assert "<script" not in answer.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\u202e" not in answer.text
    for link in page.all("a"):
        assert link.attributes["href"].startswith(
            (".", "?", "api/v1/", "#", "https://g.example/", "http://127.0.0.1:")
        )


def test_long_names_are_cut(healthy: Client) -> None:
    long = "x" * 5000
    node(healthy, long, error=long, is_up=False)
    change(healthy, fired(healthy), labels={long: long}, summary=long, host=long)

    page = landing(healthy)

    assert "x" * 100 in page.text
    assert not [cell for cell in page.all("th") if len(cell.text) > NAME_SIZE + 1500]
    assert len(page.text) < 20_000


def test_nothing_but_its_own_style_is_allowed(healthy: Client) -> None:
    answer = healthy.ask("GET", "/")

    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "script" not in policy
    assert "url(" not in style
    assert "@import" not in style
    assert answer.headers["Cache-Control"] == "no-store"


def test_clickhouse_is_not_asked(healthy: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with healthy.store.database.begin() as db:
            made = clusters.create(db, Description("asked", "127.0.0.1", port), None, 0.0)
            here = {"address_host": "127.0.0.1", "address_port": port, "is_configured": True, "is_up": True}
            nodes.put(db, StoredNode(made.id, "asked", **here, visited_at=1.0))

        assert "asked" in landing(healthy).text
        assert select.select([listening], [], [], 0) == ([], [], [])


def test_a_store_that_cannot_be_read_is_told(new_client: NewClient, tmp_path: Path) -> None:
    client = new_client()
    client.store.close()
    (tmp_path / "clustersight.db").write_bytes(b"no database" * 1000)
    client = Client(client.settings, None, client.time)  # type: ignore[arg-type]

    answer = client.ask("GET", "/")

    assert answer.status_code == 503
    page = parsed(answer.text)
    assert headline(page) == "Nothing can be said: the store cannot be read"
    assert level(page) == "no-data"
    assert "the store is damaged" in page.text
    assert "clustersight store check" in page.text
    assert not LEAKS.search(page.text)
    assert not page.all("article")


def test_it_is_small_on_its_way(healthy: Client) -> None:
    plain = healthy.ask("GET", "/")
    packed = healthy.ask("GET", "/", headers={"Accept-Encoding": "br, gzip"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in healthy.ask("GET", "/", headers={"Accept-Encoding": "gzip;q=0"}).headers


# Who may see it, and where it leads.


def test_a_browser_comes_in_with_the_password(new_client: NewClient) -> None:
    locked = new_client(api={"password": PASSWORD})
    alert_id = fired(locked)

    assert locked.ask("GET", "/").status_code == 401
    # In a line of its own: some browsers look no further than the first way in a line.
    ways = locked.ask("GET", "/").headers.getlist("WWW-Authenticate")
    assert [way.split()[0] for way in ways] == ["Bearer", "Basic"]
    assert locked.ask("GET", "/", headers=basic("me", "wrong")).status_code == 401
    assert alert_id not in locked.ask("GET", "/", headers=basic("me", "wrong")).text
    assert locked.ask("GET", "/", headers=bearer(TOKEN)).status_code == 200
    page = landing(locked, headers=basic("me", PASSWORD))
    assert "There is no password" not in page.text
    assert PASSWORD not in page.text
    assert TOKEN not in page.text
    for link in own_links(page):  # the API itself takes no Basic: its documentation does
        assert locked.ask("GET", link, headers=basic("me", PASSWORD)).status_code == 200, link


def test_without_a_password_its_links_lead_somewhere(healthy: Client) -> None:
    fired(healthy)
    page = landing(healthy)

    assert "There is no password" in page.text
    for link in own_links(page):
        if "health-score" not in link:  # which asks the servers where the score is too old
            assert healthy.ask("GET", link).status_code == 200, link


def test_its_links_stay_below_the_path_of_a_proxy(healthy: Client) -> None:
    fired(healthy)
    pages = [landing(healthy), landing(healthy, "/?refresh=off")]
    for link in (one.attributes["href"] for page in pages for one in page.all("a")):
        if not link.startswith("http"):
            assert urljoin("https://tools.example/sight/", link).startswith("https://tools.example/sight/")


def own_links(page: Element) -> set[str]:
    """The links to this server, as a browser at `/` understands them."""
    found = {one.attributes["href"] for one in page.all("a")}
    return {urljoin("/", link) for link in found if not link.startswith(("http", "#"))}


def test_a_page_elsewhere_cannot_read_it(client: Client) -> None:
    assert client.ask("GET", "/", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_is_only_read(client: Client, method: str) -> None:
    assert client.ask(method, "/").status_code == 405


def test_it_looks_again_until_it_is_told_not_to(healthy: Client) -> None:
    def refreshes(path: str) -> list[str]:
        page = landing(healthy, path)
        return [m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes]

    assert refreshes("/") == ["60"]
    assert refreshes("/?refresh=off") == []
    assert refreshes("/?refresh=0;url=https://evil.example") == ["60"]


def test_grafana_is_linked_where_it_is_known(new_client: NewClient) -> None:
    client = new_client(grafana={"url": "https://grafana.example/sub/"})
    with client.store.database.begin() as db:
        clusters.create(db, Description("a b/ü&x=1", "h", 1), None, 0.0)

    links = {one.attributes["href"] for one in landing(client).all("a")}

    assert "https://grafana.example/sub/d/clustersight-fleet" in links
    assert "https://grafana.example/sub/d/clustersight-cluster?var-cluster=a%20b%2F%C3%BC%26x%3D1" in links
    assert not [one for one in landing(new_client()).all("a") if "Grafana" in one.text]


@pytest.mark.parametrize(
    ("exporter", "host", "link"),
    [
        ({}, "localhost", Link("Metrics", "http://127.0.0.1:9116/metrics")),
        ({}, "sight.example", Link("Metrics: 127.0.0.1:9116, on the exporter's machine", "")),
        (
            {"listen": ":9116", "allow_open": True},
            "sight.example",
            Link("Metrics", "http://sight.example:9116/metrics"),
        ),
        ({"listen": "[::1]:9116"}, "::1", Link("Metrics", "http://[::1]:9116/metrics")),
        ({"listen": "127.0.0.1:0"}, "localhost", Link("API docs", "api/v1/docs")),
    ],
)
def test_the_exporter_is_linked_where_a_browser_can_follow(
    exporter: dict[str, Any], host: str, link: Link
) -> None:
    places = Places(Settings.model_validate({"exporter": exporter}), is_open=True, host=host)

    assert list(places.of_page())[-1] == link

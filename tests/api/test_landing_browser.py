"""The landing page in a real Chromium, over a real table whose name is a script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clustersight.alerts.instance import Instance, Phase
from clustersight.alerts.wording import detail_of
from clustersight.clickhouse.connection import Address, Wire
from clustersight.collection import PanelRun
from clustersight.panels import mutations
from clustersight.rules import pack
from clustersight.rules.rule import Rule
from clustersight.settings.model import Settings
from clustersight.store import alert_changes, nodes, snapshots
from clustersight.store.nodes import StoredNode
from clustersight.store.opening import Store, open_store
from clustersight.store.snapshots import Snapshot
from tests.api.alerting import fire
from tests.api.live import live_config, provisioned
from tests.conftest import packages_needed, running
from tests.panels.visiting import run_until
from tests.servers.api import ApiProcess
from tests.servers.chromium import Chromium
from tests.servers.embedded import EmbeddedServer

DATABASE = "landed"
TABLE = "<script>alert(1)</script>"
PHONE = 375
# What WCAG 2.2 asks of text (1.4.3); all of ours counts as small.
LEAST_CONTRAST = 4.5
# [contrast, text] of every text that is shown; colours as rgb(), and a ground that may be of an ancestor.
CONTRASTS = """(() => {
  const light = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const colour = text => text.match(/[\\d.]+/g).map(Number);
  const ground = e => {
    const found = colour(getComputedStyle(e).backgroundColor);
    return found.length == 3 || found[3] ? found : e.parentElement ? ground(e.parentElement) : [0, 0, 0];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), e = walker.currentNode.parentElement;
    if (!text || !e.checkVisibility()) continue;
    const [a, b] = [light(colour(getComputedStyle(e).color)), light(ground(e))];
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), text]);
  }
  return found;
})()"""


@dataclass(frozen=True)
class Served:
    """The address of the page, and the row that the panel found."""

    url: str
    row: dict[str, Any]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    try:
        with packages_needed():
            browser.start()
        yield browser
    finally:
        browser.stop()


@pytest.fixture(scope="module")
def served(embedded: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An API over a store that holds what the real panel said of the real table.

    Tests name it before the browser, which then ends first: an API waits for connections that are kept open.
    """
    folder = tmp_path_factory.mktemp("landing")
    config = live_config(embedded, folder / "state")
    row = kept(config, found(embedded))
    process = ApiProcess(folder / "api", config)
    with running(process):
        yield Served(f"{process.url}/", row)


def found(server: EmbeddedServer) -> PanelRun:
    """A mutation of the table fails, and the panel sees it."""
    server.execute(f"CREATE DATABASE {DATABASE}")
    try:
        server.execute(f"CREATE TABLE {DATABASE}.`{TABLE}` (id UInt64) ENGINE = MergeTree ORDER BY tuple()")
        server.execute(f"INSERT INTO {DATABASE}.`{TABLE}` VALUES (1)")
        server.execute(f"ALTER TABLE {DATABASE}.`{TABLE}` UPDATE id = throwIf(1) WHERE 1", mutations_sync=0)
        address = Address("127.0.0.1", server.port, Wire.HTTP)
        return run_until(address, mutations.PANEL, fails)
    finally:
        server.execute(f"DROP DATABASE {DATABASE} SYNC")


def fails(run: PanelRun) -> bool:
    return any(row["is_failing"] for row in run.panel.payload(run.rows))


def kept(config: dict[str, Any], run: PanelRun) -> dict[str, Any]:
    """Do what exporter and alerter do with it; the row of the table."""
    cluster_id = provisioned(config)
    store = open_store(Settings.model_validate(config), {})
    try:
        rows = [dict(row) for row in run.panel.payload(run.rows)]
        [row] = [row for row in rows if row["table"] == TABLE]
        now = time.time()
        keep_visit(store, cluster_id, rows, now)
        [rule] = [rule for rule in pack.built_in().rules if rule.name == "MutationFailing"]
        keep_alert(store, cluster_id, rule, row, now)
        # What nobody would call a table, and somebody did.
        long = {"database": "d" * 300, "table": "very long " * 30, "x" * 300: "y" * 3000}
        fire(store, now - 900, replace(rule, name="n" * 200), host="h" * 300, labels=long)
    finally:
        store.close()
    return row


def keep_visit(store: Store, cluster_id: str, rows: list[dict[str, Any]], now: float) -> None:
    here = StoredNode(cluster_id, "127.0.0.1", "127.0.0.1", 1, is_configured=True, is_up=True, visited_at=now)
    run = Snapshot(cluster_id, "mutations", here.host, "ok", "", now, 0.1, 1, now, rows, [])
    long = replace(here, host="h" * 300, is_up=False, is_configured=False, error="e" * 3000)
    failed = replace(run, panel=f"rule:{TABLE}", status="error", error=TABLE, collected_at=None)
    with store.database.begin() as db:
        nodes.put(db, here)
        nodes.put(db, long)
        snapshots.put(db, [run, failed, replace(run, host=long.host, panel="disk")])


def keep_alert(store: Store, cluster_id: str, rule: Rule, row: dict[str, Any], now: float) -> None:
    labels = (("database", DATABASE), ("table", TABLE))
    instance = Instance(cluster_id, "127.0.0.1", labels, Phase.FIRING, now - 90, 1.0)
    alert_id = fire(store, now - 90, rule, labels=dict(labels))
    with store.database.begin() as db:
        detail = detail_of(rule, instance, TABLE, row)
        alert_changes.change(db, {alert_id: (rule.severity.value, detail)})


def text_of(chromium: Chromium) -> str:
    return str(chromium.run("document.body.innerText"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, PHONE, 800, 1280])
def test_it_fits_any_screen_and_the_console_is_silent(
    served: Served, chromium: Chromium, width: int, dark: bool
) -> None:
    chromium.screen(width, dark=dark, mobile=width < 800)

    assert chromium.visit(served.url) == 200

    chromium.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert chromium.complaints == []
    assert chromium.run("document.documentElement.scrollWidth") == width
    # Nothing is cut off at the side of a box that cannot be scrolled either.
    over = (
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth)"
    )
    assert chromium.run(f"{over}.map(e => e.className || e.tagName)") == []
    contrasts = chromium.run(CONTRASTS)
    assert len(contrasts) > 50
    assert [one for one in contrasts if one[0] < LEAST_CONTRAST] == []


def test_a_table_that_is_a_script_is_text(served: Served, chromium: Chromium) -> None:
    chromium.screen(PHONE, mobile=True)
    chromium.visit(served.url)

    assert served.row["table"] == TABLE
    assert f"{DATABASE}.{TABLE}" in text_of(chromium)
    assert f"AND table = '{TABLE}'" in chromium.run("document.querySelector('pre code').textContent")
    assert f"rule:{TABLE}" in text_of(chromium)
    assert chromium.run("document.scripts.length") == 0
    assert chromium.complaints == []


def test_it_needs_no_scripts(served: Served, chromium: Chromium) -> None:
    chromium.screen(PHONE, mobile=True)
    chromium.visit(served.url)
    before = chromium.run("document.documentElement.outerHTML")
    # A tap on a word that opens: without a script too.
    word = "document.querySelector('details:not([open]) summary')"
    closed = "document.querySelectorAll('details:not([open])').length"
    chromium.scripts(enabled=False)
    try:
        chromium.visit(served.url)
        after = chromium.run("document.documentElement.outerHTML")
        number = chromium.run(closed)
        chromium.run(f"{word}.scrollIntoView()")
        x, y = chromium.run(f"(r => [r.x + 5, r.y + 5])({word}.getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            chromium.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        assert chromium.run(closed) == number - 1
    finally:
        chromium.scripts(enabled=True)

    assert without_times(after) == without_times(before)
    assert "MutationFailing" in after


def test_paper_has_what_a_screen_can_open(served: Served, chromium: Chromium) -> None:
    shown = (
        "[...document.querySelectorAll('details:not([open]) table')].map(table => table.checkVisibility())"
    )
    chromium.screen(1280)
    chromium.visit(served.url)
    assert set(chromium.run(shown)) == {False}

    chromium.ask("Emulation.setEmulatedMedia", media="print")
    try:
        assert set(chromium.run(shown)) == {True}
    finally:
        chromium.ask("Emulation.setEmulatedMedia", media="")


def without_times(page: str) -> str:
    return "".join(c for c in page if not c.isdigit())


def test_the_browser_tells_of_a_script_that_runs(chromium: Chromium, tmp_path: Path) -> None:
    """So that the silence above means something."""
    file = tmp_path / "bad.html"
    file.write_text(f"<!doctype html><title>x</title>{TABLE.replace('alert', 'console.error')}<p>x")

    chromium.visit(file.as_uri())

    assert len(chromium.complaints) == 1

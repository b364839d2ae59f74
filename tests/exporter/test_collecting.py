"""A visit's way onto the page."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace

from clustersight import panels
from clustersight.metrics import Sample
from clustersight.panels import ddl_queue, server
from clustersight.panels.panel import Context, Peers, Rows
from clustersight.settings.model import Settings
from exporter.collecting import Collecting
from exporter.page import Page, PieceKey
from exporter.process import system_clock
from tests.exporter.conftest import QUICK, new
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until


class HeldPage(Page):
    """A page that takes nothing before it is let go."""

    def __init__(self) -> None:
        super().__init__(time.monotonic)
        self.reached, self.go_on = threading.Event(), threading.Event()

    def put(self, key: PieceKey, samples: Iterable[Sample]) -> int:
        self.reached.set()
        assert self.go_on.wait(30)
        return super().put(key, samples)


def test_a_node_is_waited_for_until_it_is_on_the_page(embedded: EmbeddedServer) -> None:
    page = HeldPage()
    settings = Settings.model_validate({"clusters": [new(embedded)], "collection": QUICK})
    collecting = Collecting(settings, panels.ALL, page, system_clock())
    try:
        collecting.tick()
        assert page.reached.wait(30)

        assert collecting.pending == [f"new/127.0.0.1:{embedded.port}"]
        page.go_on.set()
        wait_until(lambda: not collecting.pending, 10, "the node is on the page")
        assert b"clickhouse_up{" in page.latest().text
    finally:
        page.go_on.set()
        collecting.stop(10)


def test_a_panel_is_told_of_the_other_nodes(embedded: EmbeddedServer) -> None:
    """Of a node that is watched alone nobody can be behind: that is left to the panel."""
    told: list[Peers | None] = []

    def probe(context: Context) -> Rows:
        told.append(context.peers)
        return []

    asking = replace(ddl_queue.PANEL, probe=probe)
    settings = Settings.model_validate({"clusters": [new(embedded)], "collection": QUICK})
    collecting = Collecting(settings, [server.PANEL, asking], Page(time.monotonic), system_clock())
    try:
        collecting.tick()
        wait_until(lambda: not collecting.pending, 10, "the node is on the page")
    finally:
        collecting.stop(10)
    assert told == [Peers(frozenset(), None)]

"""What the exporter tells a cluster's panel of the other nodes: who answers, and whose DDL stays behind."""

from __future__ import annotations

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node
from clustersight.collection import Collection, PanelRun, Watch
from clustersight.ddl_progress import BEHIND_SECONDS
from clustersight.panels import server
from clustersight.panels.panel import Peers, Status
from clustersight.settings.model import ClusterSettings
from exporter.fleet import Target
from exporter.peers import PeersWatch

LATER = 1000.0 + BEHIND_SECONDS


def node(name: str, wire: Wire, *, is_configured: bool) -> Node:
    return Node("main", name, Address(name, 9000, wire), is_configured=is_configured)


def target(
    name: str,
    entry: float | None = 5.0,
    *,
    up: bool | None = True,
    status: Status = Status.OK,
    wire: Wire = Wire.NATIVE,
    discover: bool = True,
    topology_at: float | None = 0.0,
) -> Target:
    """A node by its last visit; `up` None: it was not visited yet. ch1 is the one that is configured."""
    itself = node(name, wire, is_configured=name == "ch1")
    settings = ClusterSettings(name="main", host="ch1", port=9000, discover=discover)
    session = Session(itself.address)
    found = Target(settings, Watch(itself, session, session), due=0.0, phase=0.0, topology_at=topology_at)
    if up is not None:
        found.collection = Collection(itself, up, "", None, 0.0, 0.0, ())
    if up:
        found.runs[server.NAME] = PanelRun(server.PANEL, status, rows=(row(entry),))
    return found


def row(entry: float | None) -> server.Row:
    return server.Row(
        version="26.9",
        uptime_seconds=60,
        clock_skew_seconds=None,
        memory_bytes=None,
        memory_limit_bytes=None,
        connections={},
        max_connections=None,
        merge_pool_busy=None,
        merge_pool_size=None,
        interserver_errors={},
        data_losses=0,
        ddl_entry=entry,
    )


def looked(*targets: Target) -> Peers:
    """After they were the same for five minutes."""
    watch = PeersWatch()
    watch.look("main", targets, 1000.0)
    return watch.look("main", targets, LATER)


def test_a_node_that_stays_behind() -> None:
    found = looked(target("ch1"), target("ch2", 4.0), target("ch3"))
    assert found.ddl_behind == ("ch2",)
    assert found.live == {"ch1:9000", "ch2:9000", "ch3:9000"}


def test_not_at_once() -> None:
    assert PeersWatch().look("main", [target("ch1"), target("ch2", 4.0)], 0.0).ddl_behind == ()


def test_over_http_a_place_has_no_port() -> None:
    assert looked(target("ch1", wire=Wire.HTTP), target("ch2")).live == {"ch1", "ch2:9000"}


def test_one_that_is_down_is_neither_live_nor_behind() -> None:
    found = looked(target("ch1"), target("ch2"), target("ch3", up=False))
    assert (found.live, found.ddl_behind) == ({"ch1:9000", "ch2:9000"}, ())


def test_what_cannot_be_told() -> None:
    assert looked(target("ch1", discover=False)).ddl_behind is None
    assert looked(target("ch1")).ddl_behind is None
    assert looked(target("ch1"), target("ch2", up=False)).ddl_behind is None
    assert looked(target("ch1"), target("ch2", None)).ddl_behind is None
    assert looked(target("ch1"), target("ch2", status=Status.TIMEOUT)).ddl_behind is None


def test_what_will_be_told_after_the_next_visits() -> None:
    """Keeper is not asked for the sake of a start."""
    assert looked(target("ch1", topology_at=None)).ddl_behind == ()
    assert looked(target("ch1"), target("ch2", up=None)).ddl_behind == ()


def test_a_cluster_that_is_gone_is_forgotten() -> None:
    watch = PeersWatch()
    nodes = [target("ch1"), target("ch2", 4.0)]
    watch.look("main", nodes, 1000.0)
    watch.forget_others({"other"})
    assert watch.look("main", nodes, LATER).ddl_behind == ()

"""The parts that panels are answered with: who is asked, who waits, what is kept; without any server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api import errors
from api.flight import Flight
from api.live.places import nodes_of
from api.live.watches import FORGOTTEN_SECONDS, IDLE_SECONDS, Watches
from api.panels.freshness import hosts_seen, is_fresh
from api.panels.json import rendered
from api.panels.runs import NodeRun, failure_of_all, plain_runs, read_runs, rows_of
from api.panels.shelf import Shelf
from api.panels.siblings import Siblings
from clustersight.addresses import address_of
from clustersight.clickhouse.errors import TimedOut
from clustersight.clickhouse.topology import Node, Topology, alone
from clustersight.panels.panel import Status
from clustersight.settings.cluster import ClusterSettings
from clustersight.store.nodes import StoredNode
from tests.servers.process import wait_until

# --- who is asked


def cluster(**more: Any) -> ClusterSettings:
    values = {"name": "c", "host": "ch1.shop.internal", "port": 9000, "password": "hunter2", **more}
    return ClusterSettings.model_validate(values)


def stored(host: str, port: int = 9000, *, configured: bool = False) -> StoredNode:
    return StoredNode("cl", host, host, port, configured, True, 0.0, shard="1", replica="2")


def nobody() -> Topology:
    raise AssertionError("nothing had to be discovered")


def hosts(nodes: tuple[Node, ...]) -> list[str]:
    return [node.address.endpoint for node in nodes]


OWN = stored("ch1.shop.internal", configured=True)


def test_the_nodes_that_the_exporter_knows_are_asked() -> None:
    found = nodes_of(cluster(discover=True), [OWN, stored("ch2.shop.internal")], nobody)

    assert hosts(found) == ["ch1.shop.internal:9000", "ch2.shop.internal:9000"]
    assert [node.is_configured for node in found] == [True, False]
    assert {node.address.password for node in found} == {"hunter2"}
    assert (found[1].shard, found[1].replica, found[1].host) == ("1", "2", "ch2.shop.internal")


@pytest.mark.parametrize("stranger", ["ch2.evil.example", "10.0.0.1", "ch1.shop.internal.evil.example"])
def test_credentials_do_not_go_to_strangers(stranger: str) -> None:
    assert hosts(nodes_of(cluster(discover=True), [OWN, stored(stranger)], nobody)) == [
        "ch1.shop.internal:9000"
    ]


def test_credentials_go_where_discover_hosts_lets_them() -> None:
    own = cluster(discover=True, discover_hosts=["*.dc2.internal"])
    found = nodes_of(own, [OWN, stored("ch9.dc2.internal"), stored("ch2.shop.internal")], nobody)

    assert hosts(found) == ["ch1.shop.internal:9000", "ch9.dc2.internal:9000"]


@pytest.mark.parametrize(
    "before", [stored("old.shop.internal", configured=True), replace(OWN, address_port=9440)]
)
def test_what_is_known_of_a_former_address_counts_for_nothing(before: StoredNode) -> None:
    others = [before, stored("ch2.shop.internal")]

    assert hosts(nodes_of(cluster(), others, nobody)) == ["ch1.shop.internal:9000"]
    discovered = alone("c", address_of(cluster()))
    assert nodes_of(cluster(discover=True), others, lambda: discovered) == discovered.nodes


def test_without_discover_only_the_configured_node_is_asked() -> None:
    assert hosts(nodes_of(cluster(), [OWN, stored("ch2.shop.internal")], nobody)) == [
        "ch1.shop.internal:9000"
    ]


# --- connections


class Monotonic:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def one_node(password: str = "a") -> Node:
    [node] = alone("c", address_of(cluster(password=password))).nodes
    return node


def test_a_watch_is_used_by_one_at_a_time_and_again() -> None:
    watches = Watches(Monotonic())
    disk = partial(watches.lease, "cl", one_node(), 1, asks_keeper=False, panels=["disk"])
    server = partial(watches.lease, "cl", one_node(), 1, asks_keeper=False, panels=["server"])
    with disk() as first, server() as second:
        assert first is not second
    with server() as again:
        assert again is second
    with disk() as again:
        assert again is first


def test_keeper_is_asked_by_one_at_a_time() -> None:
    watches = Watches(Monotonic())
    with watches.lease("cl", one_node(), 1, asks_keeper=True, panels=["keeper"]):
        with pytest.raises(TimedOut), watches.lease("cl", one_node(), 0.01, asks_keeper=True, panels=["k"]):
            pass
        with watches.lease("cl", one_node(), 0.01, asks_keeper=False, panels=["disk"]):
            pass


def test_idle_watches_are_closed_and_later_forgotten() -> None:
    now = Monotonic()
    watches = Watches(now)
    with watches.lease("cl", one_node(), 1, asks_keeper=False, panels=["disk"]) as first:
        now.now += IDLE_SECONDS + 1
        watches.sweep()
        assert watches.open == 1  # it is being used
    now.now += IDLE_SECONDS + 1
    watches.sweep()
    assert watches.open == 0
    with watches.lease("cl", one_node(), 1, asks_keeper=False, panels=["disk"]) as again:
        assert again is first  # with what its panels remember
    now.now += FORGOTTEN_SECONDS + 1
    watches.sweep()
    with watches.lease("cl", one_node(), 1, asks_keeper=False, panels=["disk"]) as new:
        assert new is not first


def test_other_credentials_are_another_watch_and_the_old_one_goes() -> None:
    watches = Watches(Monotonic())
    old, new = one_node("a"), one_node("b")
    with watches.lease("cl", old, 1, asks_keeper=False, panels=["disk"]) as first:
        pass
    watches.keep_only("cl", {new.address})
    assert watches.open == 0
    with watches.lease("cl", new, 1, asks_keeper=False, panels=["disk"]) as second:
        assert second is not first


def test_a_busy_seat_of_keeper_stays_taken_when_the_address_changes() -> None:
    watches = Watches(Monotonic())
    node = one_node()
    ask = partial(watches.find, "cl", node, asks_keeper=True, panels=["keeper"])
    held = ask()
    assert held is not None

    watches.keep_only("cl", set())

    assert ask() is None
    held.give_back()
    assert watches.open == 0
    again = ask()
    assert again is not None
    assert again.watch is not held.watch


# --- waiting together


def test_a_flight_has_one_run_for_all_who_wait_and_another_one_later() -> None:
    flight: Flight[int] = Flight()
    go, runs, results = threading.Event(), [], []

    def work() -> int:
        runs.append(1)
        go.wait()
        return len(runs)

    threads = [threading.Thread(target=lambda: results.append(flight.do("k", work))) for _ in range(5)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(runs) == 1, 5, "somebody works")
    go.set()
    for thread in threads:
        thread.join()
    assert set(results) <= set(range(1, len(runs) + 1))
    before = len(runs)
    assert flight.do("k", work) == before + 1


def test_a_failure_is_everybodys_and_then_forgotten() -> None:
    flight: Flight[int] = Flight()

    def fail() -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        flight.do("k", fail)
    assert flight.do("k", lambda: 7) == 7


# --- what workers hand each other


@pytest.fixture
def siblings(tmp_path: Path) -> Callable[[Monotonic], Siblings]:
    return lambda now: Siblings(tmp_path, 30, now)


def test_what_one_worker_finds_the_other_reads_while_it_is_young(
    siblings: Callable[[Monotonic], Siblings], tmp_path: Path
) -> None:
    now = Monotonic()
    siblings(now).write("a", [1, "ü"])

    assert siblings(now).read("a") == (0.0, [1, "ü"])
    assert siblings(now).read("b") is None
    now.now = 30
    assert siblings(now).read("a") is None
    siblings(now).write("b", 2)
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["b.z"]
    now.now = 5  # the machine was started anew
    assert siblings(now).read("b") is None
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "live").iterdir())


def test_a_damaged_file_is_no_file(siblings: Callable[[Monotonic], Siblings], tmp_path: Path) -> None:
    now = Monotonic()
    siblings(now).write("a", 1)
    (tmp_path / "live" / "a.z").write_bytes(b"nonsense")

    assert siblings(now).read("a") is None


def test_one_worker_works_while_the_other_waits(siblings: Callable[[Monotonic], Siblings]) -> None:
    now = Monotonic()
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with siblings(now).turn("a"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with siblings(now).turn("a"):
        inside.set()
        with siblings(now).turn("b"):
            order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("no folder")
    own = Siblings(tmp_path, 30, Monotonic())

    with own.turn("a"):
        own.write("a", 1)
    assert own.read("a") is None


# --- answers that are JSON already


class Item:
    def __init__(self, size: int) -> None:
        self.size = size


def test_a_shelf_gives_up_what_was_used_longest_ago() -> None:
    shelf: Shelf[Item] = Shelf(10)
    one, two, three, large = Item(4), Item(4), Item(4), Item(11)
    shelf.put("one", one)
    shelf.put("two", two)
    assert shelf.get("one") is one
    shelf.put("three", three)
    assert (shelf.get("one"), shelf.get("two"), shelf.get("three")) == (one, None, three)
    shelf.put("one", large)
    assert shelf.get("one") is None
    shelf.put("four", Item(6))
    assert shelf.get("three") is three


def test_what_strangers_wrote_is_json_whatever_it_is() -> None:
    data = [{"a\udc80": float("nan")}, ("\ud83d", "\x00\u202e💥")]

    assert rendered(data).json == '[{"a\\\\udc80":null},["\\\\ud83d","\\u0000\u202e💥"]]'.encode()


# --- runs


def run(
    host: str = "h", status: Status = Status.OK, *, up: bool = True, ago: float = 1, **more: Any
) -> NodeRun:
    seen_at = more.pop("seen_at", 100 - ago if status is Status.OK else None)
    return NodeRun(host, up, status, more.pop("error", ""), 100 - ago, seen_at, **more)


@pytest.mark.parametrize(
    ("runs", "fresh"),
    [
        ([], False),
        ([run()], True),
        ([run(ago=10)], False),
        ([run(ago=-3)], True),  # clocks differ
        ([run(ago=-6)], False),  # one was set back
        ([run(), run("g", ago=10)], False),
        ([run(), run("g", Status.ERROR, up=False)], True),
        ([run(status=Status.ERROR, up=False)], False),  # whoever asks may find it back
        ([run(status=Status.ACCESS_DENIED)], False),
        ([run(status=Status.UNSUPPORTED)], True),
        ([run("g")], False),  # h has none yet
    ],
)
def test_fresh_is_what_ran_everywhere_and_told_something(runs: list[NodeRun], fresh: bool) -> None:
    assert is_fresh(runs, {"h"}, 100, 10) is fresh


def test_a_failed_run_still_shows_what_was_seen_before_to_those_who_want_it() -> None:
    failed = run(status=Status.ERROR, up=False, seen_at=60.0)

    assert hosts_seen([failed], 100, 39) == frozenset()
    assert hosts_seen([failed], 100, 40) == {"h"}
    assert hosts_seen([failed], 50, 40) == frozenset()  # the clock was set back


def test_rows_carry_their_host_unless_they_name_one() -> None:
    runs = [
        run(rows=[{"disk": "a"}]),
        run("g", rows=[{"host": "keeper1"}]),
        run("down", rows=[{"disk": "b"}]),
    ]

    assert rows_of(runs, {"h", "g"}) == [{"host": "h", "disk": "a"}, {"host": "keeper1"}]


def test_runs_survive_being_handed_on() -> None:
    runs = (run(rows=[{"disk": "a"}]), run("g", Status.ERROR, up=False, error="refused"))

    assert read_runs(plain_runs(runs)) == runs


@pytest.mark.parametrize(
    ("runs", "kind", "said"),
    [
        ([], errors.Unreachable, "exporter"),
        ([run(status=Status.ERROR, up=False, error="h:1: refused")], errors.Unreachable, "h:1: refused"),
        ([run(status=Status.TIMEOUT)], errors.Unreachable, "no answer"),
        ([run(status=Status.UNAUTHORIZED, error="wrong password")], errors.Unreachable, "password"),
        ([run(status=Status.REFUSED, error="too many SELECT * FROM x")], errors.Unreachable, "refuses"),
        (
            [run(status=Status.ERROR, up=False), run("g", Status.ACCESS_DENIED, error="ON *.*")],
            errors.PermissionDenied,
            "GRANT SHOW TABLES",
        ),
        ([run(status=Status.ERROR, error="Syntax error: SELECT 1 FROM t")], errors.ClickHouseFailed, "log"),
    ],
)
def test_where_nobody_tells_anything_the_error_says_what_to_do(
    runs: list[NodeRun], kind: type[errors.ApiError], said: str
) -> None:
    error = failure_of_all(runs)

    assert type(error) is kind
    assert said in error.message
    assert "SELECT" not in error.message or "GRANT" in error.message

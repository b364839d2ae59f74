"""Hundreds of visits to servers that misbehave leave no socket and no thread behind."""

from __future__ import annotations

import os
import threading

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.collect import collect
from clustersight.collection import Plan
from clustersight.panels import ALL
from tests.panels.visiting import CLOCK, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import ClosingPeer, GarbagePeer, SilentPeer

VISITS = 60


def held() -> tuple[int, int]:
    """(file descriptors, threads) of this process."""
    return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_nothing_is_left_behind(replicas: list[ClickHouse18], embedded: EmbeddedServer) -> None:
    plan = Plan(ALL, deadline_seconds=0.5)
    with SilentPeer() as silent, ClosingPeer() as closing, GarbagePeer() as garbage:
        places = [(peer.port, wire) for peer in (silent, closing, garbage) for wire in Wire]
        places += [(replicas[0].port, Wire.NATIVE), (embedded.port, Wire.HTTP), (1, Wire.NATIVE)]
        ours = []
        for port, wire in places:
            for number in range(VISITS):
                watch = watching(Address("127.0.0.1", port, wire))
                collect(watch, plan, CLOCK)
                watch.close()
                if number == 2:
                    before = held()
            ours.append((port, wire, before, held()))

    # The peers are of this process too: each keeps a descriptor and a thread for every connection.
    real = [entry for entry in ours if entry[0] in (replicas[0].port, embedded.port, 1)]
    for _port, _wire, (fds, threads), (fds_after, threads_after) in real:
        assert fds_after <= fds + 2
        assert threads_after <= threads + 2

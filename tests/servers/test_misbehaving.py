"""The misbehaving peers do the wrong that they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.servers import misbehaving
from tests.servers.process import connects
from tests.servers.zookeeper import ZooKeeper

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (misbehaving.SilentPeer, requests.exceptions.ReadTimeout),
        (misbehaving.ClosingPeer, requests.exceptions.ConnectionError),
        (misbehaving.GarbagePeer, requests.exceptions.RequestException),
    ],
)
def test_misbehaving_peers(kind: type[misbehaving.Peer], error: type[Exception]) -> None:
    with kind() as peer:
        with pytest.raises(error):
            requests.get(f"http://127.0.0.1:{peer.port}/", timeout=0.3)
        assert peer.accepted == 1
    assert not connects(peer.port)


def test_hanging_four_letter_server(tmp_path: Path) -> None:
    client = ZooKeeper(tmp_path)
    with misbehaving.HangingFourLetterPeer(b"zk_version") as peer:
        client.port = peer.port
        with pytest.raises(TimeoutError):
            client.four_letters("mntr", timeout_seconds=0.3)
        assert peer.words == [b"mntr"]


def test_dripping_peer_outlives_a_read_timeout() -> None:
    with misbehaving.DrippingPeer() as peer:
        answer = requests.get(f"http://127.0.0.1:{peer.port}/", timeout=0.5, stream=True)
        body = answer.iter_content(1)
        assert b"".join(next(body) for _ in range(8)) == b"x" * 8
        answer.close()

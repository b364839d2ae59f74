"""The configuration that the demo writes is one that its processes take, without a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from clustersight.demo.configuration import write
from clustersight.demo.options import FREE_PORT, Options
from clustersight.known import KNOWN
from clustersight.settings.file import load
from clustersight.settings.listen import Listen

WEBHOOK = "http://127.0.0.1:9130/services/demo"


@pytest.mark.parametrize(
    ("api", "link"), [(Listen("127.0.0.1", 3001), "http://127.0.0.1:3001"), (FREE_PORT, None)]
)
def test_messages_link_to_the_api_where_its_port_is_known(
    tmp_path: Path, api: Listen, link: str | None
) -> None:
    options = Options(FREE_PORT, api, alerter_listen=Listen("127.0.0.1", 9126), zookeeper="127.0.0.1:2181")
    loaded = load(write(tmp_path, options, "http://127.0.0.1:8123", WEBHOOK), {}, KNOWN)
    settings = loaded.settings
    assert loaded.warnings == ()
    assert (str(settings.api.public_url) if settings.api.public_url else None) == link
    assert settings.alerter.listen == options.alerter_listen
    assert settings.rules.paths == (tmp_path / "rules",)
    (channel,) = settings.notify.channels
    assert channel.url is not None
    assert channel.url.get_secret_value() == WEBHOOK
    assert settings.clusters[0].keeper_nodes == ("127.0.0.1:2181",)

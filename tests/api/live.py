"""A live ClickHouse behind an API without an exporter: the cluster is in the store from the start."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from clustersight import effective
from clustersight.settings.model import Settings
from clustersight.store import clusters
from clustersight.store.opening import open_store
from tests.api.alerting import fire
from tests.servers.embedded import EmbeddedServer


def live_config(server: EmbeddedServer, folder: Path) -> dict[str, Any]:
    """clustersight.yaml with the server as its only cluster, and the store in `folder`."""
    live = {"name": "live", "host": "127.0.0.1", "port": server.port, "protocol": "http"}
    return {"data_dir": str(folder), "clusters": [live]}


def provisioned(config: dict[str, Any]) -> str:
    """Do what the exporter does with the clusters of a file; the id of the only one."""
    settings = Settings.model_validate(config)
    store = open_store(settings, {})
    effective.provision(settings, store, 0.0, complete=True)
    with store.database.read() as db:
        [stored] = clusters.active(db)
    store.close()
    return stored.id


def alerted(config: dict[str, Any]) -> str:
    """An alert of the only cluster, as the alerter writes it; its id."""
    store = open_store(Settings.model_validate(config), {})
    try:
        return fire(store, time.time() - 60)
    finally:
        store.close()

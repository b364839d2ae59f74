"""The demo's own clustersight.yaml, which all of its processes read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from clustersight.demo import rules
from clustersight.demo.options import Options

# Not ClickHouse's own `default`, as which the workload runs: a panel leaves its own user's queries out.
USERNAME = "clustersight"
CHANNEL = "inbox"
WEBHOOK_FILE = "webhook.url"
_HEAD = "# Written by `clustersight demo` at every start: changes are lost.\n"


def write(folder: Path, options: Options, clickhouse_url: str, webhook_url: str) -> Path:
    """Write the configuration and its rule file; returns the former."""
    rule_file, config = folder / "rules" / "demo.yaml", folder / "clustersight.yaml"
    rule_file.parent.mkdir(exist_ok=True)
    text = rules.shortened(options.longest_for_seconds, options.rules_every_seconds)
    rule_file.write_text(text, encoding="utf-8")
    # In a file, as a real one should be: it is a secret.
    (folder / WEBHOOK_FILE).write_text(webhook_url, encoding="utf-8")
    content = _content(folder, options, clickhouse_url)
    config.write_text(_HEAD + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return config


def _content(folder: Path, options: Options, clickhouse_url: str) -> dict[str, Any]:
    return {
        "clusters": [_cluster(options, clickhouse_url)],
        "collection": {"interval_sec": options.interval_seconds, "tier2_every": options.tier2_every},
        "exporter": {"listen": str(options.listen)},
        "alerter": {"listen": str(options.alerter_listen)},
        "api": _api(options),
        "rules": {"paths": ["rules"]},
        # The inbox is on this machine, which no real webhook may be.
        "notify": {
            "allow_private": True,
            "channels": [{"name": CHANNEL, "kind": "slack", "url_file": WEBHOOK_FILE}],
        },
        "data_dir": str(folder / "state"),
    }


def _cluster(options: Options, clickhouse_url: str) -> dict[str, Any]:
    cluster: dict[str, Any] = {
        "name": "demo",
        "host": "127.0.0.1",
        "port": int(clickhouse_url.rpartition(":")[2]),
        "protocol": "http",
        "username": USERNAME,
    }
    return cluster | ({"keeper_nodes": [options.zookeeper]} if options.zookeeper else {})


def _api(options: Options) -> dict[str, Any]:
    """With the address for links in messages, where it is known before the API is there."""
    api: dict[str, Any] = {"listen": str(options.api_listen)}
    return api | ({"public_url": f"http://{options.api_listen}"} if options.api_listen.port else {})

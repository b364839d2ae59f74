"""Files of deploy/ as data; a key that stands twice is an error, which YAML's usual readers pass over."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROCESSES = {"exporter": 9116, "alerter": 9126, "api": 3001}
# What people would write; anything does for the other variables.
_FILLED_IN = {
    "CLUSTERSIGHT_SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/a/b/c",
    "CLUSTERSIGHT_STORE_URL": "postgresql+psycopg://user:password@host/database",
}


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(keys) == len(set(keys)), f"a key stands twice: {keys}, {node.start_mark}"
        return super().construct_mapping(node, deep)


def documents(path: Path) -> list[Any]:
    """Every document of a YAML file."""
    text = path.read_text(encoding="utf-8")
    list(yaml.load_all(text.replace("<<:", "merged:"), _Strict))
    return list(yaml.safe_load_all(text))


def document(path: Path) -> Any:
    """The only document of a YAML file."""
    (found,) = documents(path)
    return found


def pinned(image: str) -> bool:
    """Whether an image has a tag that stays what it is; one of a registry may have a port."""
    name, _, tag = image.rpartition(":")
    return bool(name) and "/" not in tag and tag != "latest"


def filled_in(names: Iterable[str]) -> dict[str, str]:
    """Something for each of these variables."""
    return {name: _FILLED_IN.get(name, 32 * "x") for name in names}

"""The rule file as JSON Schema (draft 2020-12), for editors: made from the tables that the loader reads by.

`python -m clustersight.rules.schema docs/rules.schema.json` writes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from clustersight.rules.fields import FILE, GROUP, RULE

_COMPARED = ["operator", "threshold"]


def schema() -> dict[str, Any]:
    """What a file must look like; keys, labels and names of rules only the loader can look up."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ClusterSight rules",
        "description": "Rules of ClusterSight; `clustersight rules check` says more than this schema can.",
        **FILE.schema,
        "oneOf": [{"required": ["groups"]}, {"required": ["rules"]}],
        "$defs": {
            "group": {**GROUP.schema, "required": ["name", "rules"]},
            "rule": {
                **RULE.schema,
                "anyOf": [{"required": ["alert"]}, {"required": ["name"]}],
                "oneOf": [
                    {"required": ["expr"], "not": _any_of("metric_key", "match", "sql", *_COMPARED)},
                    {"required": ["metric_key", *_COMPARED], "not": _any_of("expr", "sql")},
                    {"required": ["sql", *_COMPARED], "not": _any_of("expr", "metric_key")},
                ],
                "dependentRequired": {"run_on": ["sql"]},
            },
        },
    }


def _any_of(*keys: str) -> dict[str, Any]:
    return {"anyOf": [{"required": [key]} for key in keys]}


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")

"""Annotations that say what they mark.

Grafana's SDK has no fields for it, and without them a mark on a graph has neither title nor text. They are
the Prometheus data source's own (packages/grafana-prometheus/src/annotations.ts in Grafana's source).
"""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

# What Grafana's SDK does not read back.
FIELDS = ("titleFormat", "textFormat", "tagKeys", "step")
# As often as rules are evaluated; what is further apart becomes two marks.
_STEP = "60s"


class _Marked(AnnotationQuery):
    wording: dict[str, str]

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self.wording}


class Mark(build.AnnotationQuery):
    """`title` and `text` with {{label}}; `tags` are labels, with commas between them."""

    def __init__(self, title: str, text: str, tags: str) -> None:
        super().__init__()
        self._internal = _Marked()
        self._internal.wording = dict(zip(FIELDS, (title, text, tags, _STEP), strict=True))


def unmarked(dashboard: dict[str, Any]) -> dict[str, Any]:
    """The dashboard as Grafana's SDK reads it back: without these fields of its annotations."""
    found = dashboard.get("annotations", {}).get("list", [])
    kept = [{name: value for name, value in one.items() if name not in FIELDS} for one in found]
    return dashboard | {"annotations": dashboard["annotations"] | {"list": kept}} if found else dashboard

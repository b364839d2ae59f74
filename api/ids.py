"""Ids in paths: what does not look like one is another path, so `/clusters/test` is never a cluster."""

from __future__ import annotations

from werkzeug.routing import BaseConverter

from clustersight.ids import PATTERN


class IdConverter(BaseConverter):
    """`<id:cluster_id>` in a rule; a path with anything else there does not exist (404)."""

    regex = PATTERN

"""One module per resource; ALL is what the API has, in the order of the document."""

from __future__ import annotations

from api.resource import Resource
from api.resources import (
    alerts,
    channels,
    clusters,
    health,
    overview,
    panels,
    queries,
    rules,
    settings,
    silences,
)

ALL: tuple[Resource, ...] = (
    health.RESOURCE,
    clusters.RESOURCE,
    overview.RESOURCE,
    panels.RESOURCE,
    rules.RESOURCE,
    alerts.RESOURCE,
    silences.RESOURCE,
    channels.RESOURCE,
    queries.RESOURCE,
    settings.RESOURCE,
)

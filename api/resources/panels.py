"""GET /panels and /panels/{name}: what ClusterSight knows about a cluster, fresh or said to be stale."""

from __future__ import annotations

from typing import Any

from api.context import current
from api.errors import ClickHouseFailed, NotFound, PermissionDenied, Unreachable
from api.panels import examples, listing, more_examples, routes, scoring
from api.panels.board import Board
from api.panels.listing import ListedPanel, PanelListMeta, PanelListQuery, listed
from api.panels.meta import EXAMPLE, SERIES_EXAMPLE, PanelMeta, SeriesMeta
from api.panels.routes import PanelQuery, PanelRoute
from api.panels.scoring import HealthScore, HealthScoreQuery, Scores
from api.resource import Answer, Endpoint, Resource

RESOURCE = Resource("panels", "What ClusterSight knows about a cluster, one panel a route.")
_EXAMPLES = examples.BY_PANEL | more_examples.BY_PANEL
# What a panel may say beside its rows.
FAILURES = (NotFound, PermissionDenied, ClickHouseFailed, Unreachable)


@RESOURCE.get("/panels", errors=(NotFound,), example=[listing.EXAMPLE], example_meta=listing.EXAMPLE_META)
def get_panels(query: PanelListQuery) -> Answer[list[ListedPanel], PanelListMeta]:
    """Every panel: its tier, when it last ran, and how that ended on each node."""
    return listed(current(), query.cluster_id)


@RESOURCE.get("/panels/health-score", errors=FAILURES, example=scoring.EXAMPLE, example_meta=EXAMPLE)
def get_health_score(query: HealthScoreQuery) -> Answer[HealthScore, PanelMeta]:
    """The health score with each deduction; with `?at=` the one of an earlier time."""
    return current().of(Scores).answer(query)


def _endpoint(route: PanelRoute) -> Endpoint:
    def endpoint(query: PanelQuery) -> Answer[Any, Any]:
        board = current().of(Board)
        compose, variant = route.compose(query), route.variant(query)
        return board.answer(query.cluster_id, route.panel, compose, variant, query.max_age)

    endpoint.__name__ = "get_" + route.panel.name.replace("-", "_")
    endpoint.__doc__ = route.panel.about
    # What the server reads requests by and the document is made of.
    endpoint.__annotations__ = {"query": route.query, "return": Answer[route.data, route.meta]}  # type: ignore[name-defined]
    return endpoint


for _route in routes.ALL:
    RESOURCE.get(
        f"/panels/{_route.panel.name}",
        errors=FAILURES,
        example=_EXAMPLES.get(_route.panel.name),
        example_meta=SERIES_EXAMPLE if _route.meta is SeriesMeta else EXAMPLE,
    )(_endpoint(_route))

"""Each panel's route as data: its rows, its query, and how the answer is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from api.choice import ClusterId
from api.panels import composing, insert_shapes, more_shapes, shapes
from api.panels.composing import RANGES, Compose
from api.panels.meta import PanelMeta, SeriesMeta
from api.query import Query
from api.resource import Shape
from clustersight import panels
from clustersight.panels.panel import Panel
from clustersight.settings.fields import fault

RangeName = Literal["1h", "6h", "24h", "7d"]


class PanelQuery(Query):
    """What every panel takes."""

    cluster_id: ClusterId | None = None
    max_age: Annotated[
        int | None,
        Field(ge=0, le=31_622_400, description="Be content with what was seen in the last seconds."),
    ] = None


class PanelRangeQuery(PanelQuery):
    """A time series of one of four ranges."""

    range: RangeName = "1h"


def _seconds(value: object, handler: ValidatorFunctionWrapHandler) -> int:
    try:
        return int(handler(value))
    except ValidationError:
        raise fault("must be seconds, a whole number from 60 to 604800") from None


Seconds = Annotated[int, Field(ge=60, le=604_800, description="seconds"), WrapValidator(_seconds)]


class PanelSecondsQuery(PanelQuery):
    """A time series of so many seconds."""

    range: Seconds = 3600


class PanelLimitQuery(PanelQuery):
    """The largest rows."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class PanelRoute:
    """`data` is the type of the answer's data; `variant` is what of a query changes the data."""

    panel: Panel
    data: Any
    query: type[PanelQuery] = PanelQuery
    meta: type[PanelMeta] = PanelMeta
    compose: Callable[[Any], Compose] = lambda _: composing.plain
    variant: Callable[[Any], str | int | None] = lambda _: None


def _range(query: PanelRangeQuery | PanelSecondsQuery) -> str | int:
    return query.range


def _limit(query: PanelLimitQuery) -> int:
    return query.limit


def _rows(name: str, row: type[Shape], **options: Any) -> PanelRoute:
    return PanelRoute(_PANELS[name], list[row], **options)  # type: ignore[valid-type]


def _ranged(name: str, data: type[shapes.RangeData], drawn: composing.Drawn) -> PanelRoute:
    def compose(query: PanelRangeQuery) -> Compose:
        return drawn.compose(query.range, RANGES[query.range])

    return PanelRoute(_PANELS[name], data, PanelRangeQuery, SeriesMeta, compose, _range)


def _errors(query: PanelSecondsQuery) -> Compose:
    return composing.ERRORS.compose(query.range, query.range)


def _compression(query: PanelLimitQuery) -> Compose:
    return composing.largest(query.limit)


_PANELS = {panel.name: panel for panel in panels.ALL}

# What spec/api.md fixes of a panel's rows, one line each.
_FIXED: tuple[PanelRoute, ...] = (
    _ranged("replication", shapes.ReplicationData, composing.LAG),
    _ranged("merges", shapes.MergesData, composing.MERGES),
    _rows("disk", shapes.DiskRow, compose=lambda _: composing.with_full_in_hours),
    _rows("mutations", shapes.MutationRow),
    _rows("broken-parts", shapes.BrokenPartsRow),
    _rows("keeper", shapes.KeeperRow),
    _rows("keeper-nodes", shapes.KeeperNodeRow),
    _rows("zookeeper", shapes.ZookeeperRow),
    _rows("compression", shapes.CompressionRow, query=PanelLimitQuery, compose=_compression, variant=_limit),
    PanelRoute(_PANELS["errors"], shapes.ErrorsData, PanelSecondsQuery, SeriesMeta, _errors, _range),
    _rows("parts", more_shapes.PartsRow),
    _rows("queries", more_shapes.QueriesRow),
    _rows("replication-queue", more_shapes.ReplicationQueueRow),
    _rows("server", more_shapes.ServerRow),
    _rows("tables", insert_shapes.FailedLoadRow),
    _rows("part-log", insert_shapes.PartLogRow),
    _rows("async-inserts", insert_shapes.AsyncInsertsRow),
    _rows("distribution", more_shapes.DistributionRow),
    _rows("dictionaries", more_shapes.DictionaryRow),
    _rows("views", more_shapes.ViewRow),
    _rows("kafka", more_shapes.KafkaRow),
    _rows("backups", more_shapes.BackupsRow),
    _rows("ddl-queue", more_shapes.DdlQueueRow),
)


def with_the_rest(fixed: Sequence[PanelRoute], every: Sequence[Panel]) -> tuple[PanelRoute, ...]:
    """A route for every panel: one of which nothing is fixed answers the rows of its payload as they are."""
    known = {route.panel.name for route in fixed}
    rest = (PanelRoute(panel, list[shapes.OpenRow]) for panel in every if panel.name not in known)
    return (*fixed, *rest)


ALL = with_the_rest(_FIXED, panels.ALL)

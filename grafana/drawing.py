"""From panels as data to those of Grafana's SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana import fields
from grafana.panels import Column, Graph, Shown, Stat, Table, Timeline
from grafana.queries import Query, scoped

DATASOURCE = DataSourceRef("prometheus", "${datasource}")
Variables = frozenset[str]
Drawn = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel
_Drawn = TypeVar("_Drawn", timeseries.Panel, stat.Panel, statetimeline.Panel, table.Panel)


def graph(one: Graph, variables: Variables) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    legend = legend.show_legend(show_legend=True).calcs([])
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = _common(timeseries.Panel(), one).legend(legend).tooltip(tooltip).line_width(1)
    panel = panel.fill_opacity(20 if one.stacked else 5).show_points(VisibilityMode.NEVER)
    if one.rule or one.counts:
        style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
        panel = panel.thresholds_style(style)
    if one.stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if one.most is not None:
        panel = panel.max(one.most)
    for at, query in enumerate(one.queries):
        panel = panel.with_target(_target(query, at, variables))
    # A graph of counts or shares that begins at 3 looks like a cliff.
    return panel.min(0)


def number(one: Stat, variables: Variables) -> stat.Panel:
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = _common(stat.Panel(), one).reduce_options(reduced).no_value(one.empty)
    panel = panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    if one.link:
        panel = panel.data_links([dashboard.DashboardLink("Open").url(one.link)])
    return panel.with_target(_target(one.query, 0, variables).instant())


def timeline(one: Timeline, variables: Variables) -> statetimeline.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    panel = (
        _common(statetimeline.Panel(), one).show_value(VisibilityMode.NEVER).merge_values(merge_values=True)
    )
    panel = (
        panel.legend(legend.show_legend(show_legend=False).calcs([]))
        .row_height(0.9)
        .fill_opacity(70)
        .line_width(0)
    )
    panel = panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
    return panel.with_target(_target(one.query, 0, variables))


def rows(one: Table, variables: Variables) -> table.Panel:
    panel = _common(table.Panel(), one).show_header(show_header=True)
    for at, column in enumerate(one.columns):
        target = _target(_of_column(column, one), at, variables).instant().format(PromQueryFormat.TABLE)
        panel = panel.with_target(target)
    for transformation in _merged(one):
        panel = panel.with_transformation(transformation)
    for column in one.columns:
        panel = panel.override_by_name(column.name, list(fields.of_column(column)))
    for name, url in (one.links or {}).items():
        link = {"title": "Open", "url": url, "targetBlank": False}
        panel = panel.override_by_name(name, [DynamicConfigValue("links", [link])])
    if one.sort:
        sort = common.TableSortByFieldState().display_name(one.sort).desc(desc=one.falling)
        panel = panel.sort_by([sort])
    return panel


def _of_column(column: Column, one: Table) -> Query:
    labels = ", ".join(one.labels)
    return Query(f"{column.how} by ({labels}) ({column.expr})" if column.how else column.expr)


def _merged(one: Table) -> Sequence[DataTransformerConfig]:
    """The answers become one table by the labels that they share; each value gets its column's name."""
    values = [_value_name(at, len(one.columns)) for at in range(len(one.columns))]
    order = [*one.labels, *values]
    organized = {
        "excludeByName": {"Time": True},
        "indexByName": {name: at for at, name in enumerate(order)},
        "renameByName": {value: column.name for value, column in zip(values, one.columns, strict=True)},
    }
    return [DataTransformerConfig("merge", options={}), DataTransformerConfig("organize", options=organized)]


def _value_name(at: int, count: int) -> str:
    """What Grafana calls the value of a query: only where there are several it says which."""
    return f"Value #{_letter(at)}" if count > 1 else "Value"


def _common(panel: _Drawn, one: Shown) -> _Drawn:
    panel = panel.title(one.title).description(one.about).datasource(DATASOURCE).unit(one.unit)
    panel = panel.height(one.height).span(one.width).thresholds(fields.thresholds(one))
    if one.decimals is not None:
        panel = panel.decimals(one.decimals)
    if one.words:
        panel = panel.mappings(fields.words(one.words))
    if isinstance(one, Graph):
        return panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    return panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def _target(query: Query, at: int, variables: Variables) -> prometheus.Dataquery:
    found = prometheus.Dataquery().datasource(DATASOURCE).ref_id(_letter(at))
    return found.expr(scoped(query.expr, variables)).legend_format(query.legend or "__auto")


def _letter(at: int) -> str:
    return chr(ord("A") + at)

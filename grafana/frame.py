"""A dashboard: its rows, and around them what all dashboards share: variables, links, annotations."""

from __future__ import annotations

import json
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from grafana import drawing
from grafana.marks import Mark
from grafana.panels import Content, Graph, Row, Stat, Timeline
from grafana.queries import scoped

TAG = "clustersight"
UID_START = "clustersight-"
# Where the API listens by default; `dashboards push --api-url` sets another.
API_URL = "http://127.0.0.1:3001"
# The alerter's own record; it needs no rules in Prometheus.
FIRING = 'clustersight_alerter_firing_alerts{severity=~"warning|critical"} > 0'


@dataclass(frozen=True, slots=True)
class Board:
    """`uid` is stable: links, bookmarks and messages hang on it. `places` are of cluster and host."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    places: tuple[str, ...] = ("cluster", "host")
    start: str = "now-3h"

    @property
    def file_name(self) -> str:
        return f"{self.uid}.json"

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(self.places)


def text(board: Board) -> str:
    """The dashboard as a file: the same bytes for the same code."""
    return json.dumps(dashboard(board), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def dashboard(board: Board) -> Dashboard:
    """The dashboard as Grafana's SDK has it. Raises UnknownFamilyError and ValueError (an unknown rule)."""
    frame = build.Dashboard(board.title).uid(board.uid).description(board.about).tags([TAG]).readonly()
    frame = frame.time(board.start, "now").refresh("30s").timezone("browser")
    frame = frame.tooltip(DashboardCursorSync.CROSSHAIR)
    for variable in _variables(board):
        frame = frame.with_variable(variable)
    for link in _links():
        frame = frame.link(link)
    for annotation in _annotations(board):
        frame = frame.annotation(annotation)
    for row in board.rows:
        frame = frame.with_row(build.Row(row.title))
        for panel in row.panels:
            frame = frame.with_panel(_drawn(panel, board.variables))
    return _numbered(frame.build())


def _numbered(made: Dashboard) -> Dashboard:
    for at, panel in enumerate(made.panels or [], start=1):
        panel.id_val = at
    return made


def _drawn(panel: Content, variables: frozenset[str]) -> drawing.Drawn:
    if isinstance(panel, Graph):
        return drawing.graph(panel, variables)
    if isinstance(panel, Stat):
        return drawing.number(panel, variables)
    return (
        drawing.timeline(panel, variables) if isinstance(panel, Timeline) else drawing.rows(panel, variables)
    )


def _variables(board: Board) -> list[build.DatasourceVariable | build.QueryVariable | build.ConstantVariable]:
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    api = build.ConstantVariable("api").value(API_URL)
    return [source, *(_place(name, board) for name in board.places), api]


def _place(name: str, board: Board) -> build.QueryVariable:
    within = board.places[: board.places.index(name)]
    family = scoped("clickhouse_up", frozenset(within))
    found = build.QueryVariable(name).label(name.capitalize()).datasource(drawing.DATASOURCE)
    found = found.query({"query": f"label_values({family}, {name})", "refId": name})
    found = found.multi(multi=True).include_all(include_all=True).all_value(".*")
    found = found.current(VariableOption(selected=True, text="All", value="$__all"))
    return found.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def _links() -> list[build.DashboardLink]:
    boards = build.DashboardLink("Dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    boards = boards.as_dropdown(as_dropdown=True).include_vars(include_vars=True).keep_time(keep_time=True)
    api = (
        build.DashboardLink("ClusterSight").type(DashboardLinkType.LINK).url("${api}/").icon("external link")
    )
    alerts = build.DashboardLink("Alerts (API)").type(DashboardLinkType.LINK).icon("bolt")
    alerts = alerts.url("${api}/api/v1/alerts/history?status=active")
    return [boards, api.target_blank(target_blank=True), alerts.target_blank(target_blank=True)]


def _annotations(board: Board) -> list[build.AnnotationQuery]:
    firing = Mark(title="{{alertname}}", text="{{severity}} in {{cluster}}", tags="severity")
    firing.name("Firing alerts").datasource(drawing.DATASOURCE).icon_color("red").enable(enable=True)
    return [firing.expr(scoped(FIRING, board.variables))]

"""`clustersight scrape`: one collection of one cluster, with what it cost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from clustersight.clickhouse.errors import ClickHouseError
from clustersight.clickhouse.remedies import remedy
from clustersight.clickhouse.topology import Node, Topology
from clustersight.collect import collect
from clustersight.collection import Clock, Collection, PanelRun
from clustersight.commands.chosen_cluster import CONFIG, Chosen, choose, of_node, refuse
from clustersight.commands.errands import run_all
from clustersight.commands.examination import OVERHEAD_SECONDS, WELL
from clustersight.panels import ALL
from clustersight.panels.panel import Panel
from clustersight.problem import unknown
from clustersight.table import table, visible

CLOCK = Clock(time.time, time.monotonic)
_HEADERS = ("host", "panel", "status", "rows", "samples", "queries", "read rows", "ms", "")


@click.command(epilog="Example: clustersight scrape production --panel replication --panel disk")
@click.argument("name")
@CONFIG
@click.option("--panel", "wanted", multiple=True, metavar="PANEL", help="Only this one; can be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.pass_context
def scrape(
    context: click.Context, name: str, file: Path | None, wanted: tuple[str, ...], as_json: bool
) -> None:
    """Collect once from every node of the cluster NAME, and print what each panel found and cost.

    0: all nodes answered and no panel failed. 1: something did. 2: there is no such cluster or panel.
    """
    panels = _panels(context, wanted)
    chosen = choose(context, file, name)
    nodes = _nodes(context, chosen)
    visits = _visits(chosen, nodes, panels)
    click.echo(json.dumps(_document(name, nodes, visits), indent=2) if as_json else _text(nodes, visits))
    context.exit(0 if all(visit is not None and _is_well(visit) for visit in visits) else 1)


def _panels(context: click.Context, wanted: Sequence[str]) -> list[Panel]:
    names = [panel.name for panel in ALL]
    for name in wanted:
        if name not in names:
            refuse(context, unknown("panel", name, names))
    return [panel for panel in ALL if panel.name in wanted or not wanted]


def _nodes(context: click.Context, chosen: Chosen) -> Sequence[Node]:
    """The nodes to visit; ends the command with 1 where the server does not answer in bounded time."""
    seconds = OVERHEAD_SECONDS
    found = run_all([lambda: _topology(chosen)], seconds)[0] or f"no answer within {seconds:g} s"
    if isinstance(found, str):
        click.echo(visible(found), err=True)
        context.exit(1)
    return found.nodes


def _topology(chosen: Chosen) -> Topology | str:
    """The topology, or why it is not known. Without `discover` nothing is asked."""
    watch = chosen.watch()
    try:
        return chosen.topology(watch.session)
    except ClickHouseError as error:
        advice = remedy(error)
        return f"{error.message}; {advice}" if advice else error.message
    finally:
        watch.close()


def _visits(chosen: Chosen, nodes: Sequence[Node], panels: Sequence[Panel]) -> list[Collection | None]:
    seconds = OVERHEAD_SECONDS + chosen.settings.collection.timeout_sec
    click.echo(visible(f"collecting from {', '.join(node.host for node in nodes)} …"), err=True)
    return run_all([partial(_visit, chosen, node, panels) for node in nodes], seconds)


def _visit(chosen: Chosen, node: Node, panels: Sequence[Panel]) -> Collection:
    watch = chosen.watch(node)
    try:
        return collect(watch, chosen.plan(of_node(panels, node)), CLOCK)
    finally:
        watch.close()


def _is_well(visit: Collection) -> bool:
    return visit.up and not visit.error and all(run.status in WELL for run in visit.runs)


def _text(nodes: Sequence[Node], visits: Sequence[Collection | None]) -> str:
    return table(_HEADERS, list(_cells(nodes, visits)))


def _cells(nodes: Sequence[Node], visits: Sequence[Collection | None]) -> Iterator[Sequence[str]]:
    for node, visit in zip(nodes, visits, strict=True):
        if visit is None or visit.error:
            reason = visit.error if visit else "no answer in time"
            yield (node.host, "-", "down" if visit is None or not visit.up else "up", *"-----", reason)
            continue
        for run in visit.runs:
            yield (node.host, run.panel.name, str(run.status), *_costs(run), run.error)
        yield (node.host, "total", "-", *_total(visit))


def _costs(run: PanelRun) -> Iterable[str]:
    numbers = (len(run.rows), len(run.samples), run.queries, run.read_rows)
    return (*map(str, numbers), _milliseconds(run.duration_seconds))


def _total(visit: Collection) -> Iterable[str]:
    runs = visit.runs
    numbers = (
        sum(len(run.rows) for run in runs),
        sum(len(run.samples) for run in runs),
        sum(run.queries for run in runs),
        sum(run.read_rows for run in runs),
    )
    return (*map(str, numbers), _milliseconds(visit.duration_seconds), "with greeting and capabilities")


def _milliseconds(seconds: float) -> str:
    return str(round(1000 * seconds))


def _document(name: str, nodes: Sequence[Node], visits: Sequence[Collection | None]) -> dict[str, Any]:
    pairs = zip(nodes, visits, strict=True)
    return {"cluster": name, "nodes": [_node_document(node, visit) for node, visit in pairs]}


def _node_document(node: Node, visit: Collection | None) -> dict[str, Any]:
    return {
        "host": node.host,
        "up": visit is not None and visit.up,
        "error": visit.error if visit else "no answer in time",
        "milliseconds": round(1000 * visit.duration_seconds, 1) if visit else None,
        "panels": [_run_document(run) for run in visit.runs] if visit else [],
    }


def _run_document(run: PanelRun) -> dict[str, Any]:
    return {
        "panel": run.panel.name,
        "status": str(run.status),
        "error": run.error,
        "rows": len(run.rows),
        "samples": len(run.samples),
        "queries": run.queries,
        "read_rows": run.read_rows,
        "milliseconds": round(1000 * run.duration_seconds, 1),
    }

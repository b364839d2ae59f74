"""An examination as text for a terminal and as JSON for scripts. No secret is in either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from clustersight.clickhouse.grants import statements
from clustersight.collection import PanelRun
from clustersight.commands.examination import WELL, Examination, NodeAnswer
from clustersight.panels.panel import Status
from clustersight.table import table, visible

KEEPER_NODES = "keeper-nodes"
_READONLY = {
    0: "the user may write; ClusterSight only reads: give it readonly = 2",
    1: "limits cannot be sent, the profile's own hold",
    2: "queries carry limits",
}
_REFUSED = "outside discover_hosts: our credentials do not go there"


def failure(found: Examination) -> str:
    """The one line about a cluster that could not be examined; empty where it could."""
    if not found.error:
        return ""
    return visible(found.error + (f"; {found.remedy}" if found.remedy else ""))


def text(found: Examination) -> Iterator[str]:
    """Blocks of text, in colours that click takes away where there is no terminal."""
    yield from _server(found)
    yield _titled("nodes", ("host", "shard", "replica", "answer", "ms", ""), map(_node_cells, found.nodes))
    if refused := found.topology.refused_hosts if found.topology else ():
        yield _titled("refused hosts", ("host", ""), [(host, _REFUSED) for host in refused])
    if keepers := list(_keepers(found.runs)):
        cells = [(k["node"], k["state"], k["version"] or "-", k["error"]) for k in keepers]
        yield _titled("keeper nodes", ("node", "state", "version", ""), cells)
    yield _titled("panels", ("panel", "status", "rows", "ms", ""), map(_run_cells, found.runs))
    yield _grants(found)
    yield _verdict(found)


def document(found: Examination) -> dict[str, Any]:
    """The same as plain data."""
    able, address = found.able, found.address
    return {
        "cluster": found.cluster,
        "ok": found.ok,
        "up": found.up,
        "error": found.error,
        "remedy": found.remedy,
        "address": address.endpoint,
        "protocol": str(address.wire),
        "tls": address.secure,
        "username": address.username,
        "version": able.version if able else None,
        "hostname": able.hostname if able else None,
        "readonly": able.readonly if able else None,
        "nodes": [_node_document(answer) for answer in found.nodes],
        "refused_hosts": list(found.topology.refused_hosts) if found.topology else [],
        "topology_error": found.topology_error,
        "keeper_nodes": list(_keepers(found.runs)),
        "panels": [_run_document(run) for run in found.runs],
        "missing_grants": statements(found.missing, address.username),
    }


def _server(found: Examination) -> Iterator[str]:
    able, address = found.able, found.address
    if able is None:
        return
    tls = ("TLS" if address.verify else "TLS, certificate not verified") if address.secure else "no TLS"
    facts = {
        "cluster": found.cluster,
        "address": f"{address.endpoint} ({address.wire}, {tls})",
        "user": f"{address.username} (readonly = {able.readonly}: {_READONLY.get(able.readonly, '')})",
        "server": f"ClickHouse {able.version} on {able.hostname}, up for {able.uptime_seconds} s",
    }
    yield "\n".join(f"{name:<8} {visible(value)}" for name, value in facts.items())


def _titled(title: str, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = table(headers, rows).split("\n")
    painted = [click.style(line, fg="red") if _is_bad(line) else line for line in lines]
    return "\n".join([click.style(f"\n{title}", bold=True), click.style(head, dim=True), *painted])


def _is_bad(line: str) -> bool:
    return any(word in _BAD for word in line.split()[1:5])


_BAD = frozenset({*(str(status) for status in Status if status not in WELL), "down", "no"})


def _node_cells(answer: NodeAnswer) -> Sequence[str]:
    node = answer.node
    place = (node.shard or "-", node.replica or "-")
    return (node.host, *place, "no" if answer.error else "yes", _milliseconds(answer.seconds), answer.error)


def _run_cells(run: PanelRun) -> Sequence[str]:
    rows = str(len(run.rows)) if run.status is Status.OK else "-"
    return (run.panel.name, str(run.status), rows, _milliseconds(run.duration_seconds), run.error)


def _milliseconds(seconds: float) -> str:
    return str(round(1000 * seconds))


def _grants(found: Examination) -> str:
    if not found.missing:
        return ""
    lines = statements(found.missing, found.address.username)
    title = click.style("\nmissing GRANTs, to be run by an administrator", bold=True)
    return "\n".join([title, *(visible(line) for line in lines)])


def _verdict(found: Examination) -> str:
    if found.topology_error:
        return click.style(f"\ntopology: {visible(found.topology_error)}", fg="red")
    if found.ok:
        return click.style("\nok: reachable, nothing is missing", fg="green")
    failing = sum(1 for run in found.runs if run.status not in WELL)
    silent = sum(1 for answer in found.nodes if answer.error)
    counts = f"{silent} nodes silent, {failing} panels failing, {len(found.missing)} GRANTs missing"
    return click.style(f"\nnot ok: {counts}", fg="red")


def _keepers(runs: Iterable[PanelRun]) -> Iterator[dict[str, Any]]:
    for run in runs:
        if run.panel.name == KEEPER_NODES:
            yield from run.panel.payload(run.rows)


def _node_document(answer: NodeAnswer) -> dict[str, Any]:
    node = answer.node
    return {
        "host": node.host,
        "address": node.address.endpoint,
        "shard": node.shard or None,
        "replica": node.replica or None,
        "configured": node.is_configured,
        "answers": not answer.error,
        "error": answer.error,
        "milliseconds": round(1000 * answer.seconds, 1),
    }


def _run_document(run: PanelRun) -> dict[str, Any]:
    return {
        "panel": run.panel.name,
        "status": str(run.status),
        "error": run.error,
        "rows": len(run.rows),
        "milliseconds": round(1000 * run.duration_seconds, 1),
    }

"""The landing page: clusters, nodes and panels with status and age, for a person with a browser (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import urlencode

from clustersight import __version__
from clustersight.collection import PanelRun
from clustersight.panels.panel import Status
from exporter.fleet import Target

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin-bottom: 1.5rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; }
th, td { border-bottom: 1px solid #8884; vertical-align: top; }
td.number, th.number { font-variant-numeric: tabular-nums; text-align: right; }
h2, h3, td:last-child { overflow-wrap: anywhere; }
th, td:not(:last-child) { white-space: nowrap; }
td:last-child:not(:empty) { min-width: 12rem; }
table { display: block; overflow-x: auto; }
.ok { color: #1a7f37; } .bad { color: #cf222e; font-weight: 600; } .calm { color: #767676; }
@media (prefers-color-scheme: dark) {
  .ok { color: #3fb950; } .bad { color: #ff7b72; } .calm { color: #9a9a9a; }
}
"""
_HEAD = (
    "<tr><th>panel<th>reading<th class=number>last success<th class=number>took<th class=number>read rows"
    "<th>message</tr>"
)
_CALM = frozenset({Status.UNSUPPORTED, Status.DISABLED})


def page(targets: Sequence[Target], refused: Sequence[str], wall: float) -> bytes:
    """HTML; `wall` is now, in seconds. Every string from a cluster is escaped."""
    clusters = sorted({t.cluster.name for t in targets})
    body = "".join(_cluster(name, [t for t in targets if t.cluster.name == name], wall) for name in clusters)
    if not clusters:
        body = "<p>No cluster is configured. Add one under <code>clusters:</code> and reload.</p>"
    if refused:
        hosts = ", ".join(map(escape, refused))
        body += f"<p class=bad>Not asked, because of discover_hosts: {hosts}</p>"
    return _document(body).encode("utf-8", "backslashreplace")


def _document(body: str) -> str:
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>ClusterSight exporter</title><style>{STYLE}</style></head><body>"
        f"<h1>ClusterSight exporter</h1><p>Version {escape(__version__)} · "
        '<a href="/metrics">all metrics</a> · <a href="/-/healthy">healthy</a> · '
        '<a href="/-/ready">ready</a></p>'
        "<p><b>ok</b>: the panel was read. Whether what it found is well stands in its metrics.</p>"
        f"{body}</body></html>\n"
    )


def _cluster(name: str, targets: Sequence[Target], wall: float) -> str:
    link = escape("/metrics?" + urlencode({"cluster": name}))
    nodes = "".join(_node(target, wall) for target in sorted(targets, key=lambda t: t.node.host))
    return f'<h2>{escape(name)} <small><a href="{link}">metrics of this cluster</a></small></h2>{nodes}'


def _node(target: Target, wall: float) -> str:
    down = target.collection is not None and not target.collection.up
    # Of a node that is down every panel says the same: once is enough.
    runs = [run for run in target.runs.values() if not down or run.status is Status.OK]
    rows = "".join(_panel(target, run, wall) for run in runs)
    table = f"<table>{_HEAD}{rows}</table>" if rows else ""
    return f"<h3>{escape(target.node.host)} {_state(target)}</h3>{table}"


def _state(target: Target) -> str:
    collection = target.collection
    if collection is None:
        return "<small class=calm>not visited yet</small>"
    if not collection.up:
        return f"<small class=bad>down: {escape(collection.error)}</small>"
    version = collection.greeting.version if collection.greeting else "?"
    place = f", shard {target.node.shard} replica {target.node.replica}" if target.node.shard else ""
    return f"<small class=ok>up</small> <small>ClickHouse {escape(version + place)}</small>"


def _panel(target: Target, run: PanelRun, wall: float) -> str:
    kind = "ok" if run.status is Status.OK else "calm" if run.status in _CALM else "bad"
    success = target.last_success.get(run.panel.name)
    link = escape("/metrics?" + urlencode({"cluster": target.cluster.name, "panel": run.panel.name}))
    return (
        f'<tr><td><a href="{link}">{escape(run.panel.name)}</a><td class={kind}>{run.status}'
        f"<td class=number>{'never' if success is None else age(wall - success)}"
        f"<td class=number>{run.duration_seconds * 1000:.0f} ms<td class=number>{run.read_rows}"
        f"<td>{escape(run.error)}</tr>"
    )


def age(seconds: float) -> str:
    """12 s, 5 min, 3 h: as a person says it."""
    if seconds < 0:
        return "in the future (check the clock)"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"

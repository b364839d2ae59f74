"""`clustersight demo`: a ClickHouse of one's own to look at."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from clustersight.demo.child import DemoError
from clustersight.demo.demo import Demo, run
from clustersight.demo.faults import LATER, faults
from clustersight.demo.once import once as check_once
from clustersight.demo.options import FREE_PORT, Options
from clustersight.demo.progress import Progress
from clustersight.settings.listen import Listen, parse_listen
from clustersight.table import table

DEFAULT_LISTENS = {
    "listen": "127.0.0.1:9116",
    "alerter_listen": "127.0.0.1:9126",
    "api_listen": "127.0.0.1:3001",
    "inbox_listen": "127.0.0.1:9130",
}
# As short as the settings allow, and the slow panels every time.
ONCE_INTERVAL_SECONDS = 5
ONCE_FOR_SECONDS = 1
WITHOUT_ZOOKEEPER = "For read-only replicas, give it a ZooKeeper: clustersight demo --zookeeper HOST:PORT"


def _listen(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Listen | None:
    try:
        return parse_listen(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _listen_option(name: str, who: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    default = DEFAULT_LISTENS[name]
    return click.option(
        f"--{name.replace('_', '-')}",
        metavar="HOST:PORT",
        callback=_listen,
        help=f"Where {who} serves; port 0: a free one. Default: {default}; with --once port 0.",
    )


def _address(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    host, colon, port = text.rpartition(":")
    if text and not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise click.BadParameter("must be HOST:PORT, such as 127.0.0.1:2181")
    return text


@click.command(
    epilog="Examples: clustersight demo · clustersight demo --once · clustersight demo --listen 127.0.0.1:0"
)
@click.option(
    "--once", is_flag=True, help="Check everything once, on free ports, then stop. Exit 0: all well."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text; messages go to stderr.")
@click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep ClickHouse's data, the configuration and the logs here. Default: a temporary folder.",
)
@click.option(
    "--zookeeper",
    default="",
    metavar="HOST:PORT",
    callback=_address,
    help="Adds two replicas of a ReplicatedMergeTree; writes below /clustersight-demo there.",
)
@_listen_option("listen", "the exporter")
@_listen_option("alerter_listen", "the alerter")
@_listen_option("api_listen", "the API")
@_listen_option("inbox_listen", "the page of messages")
def demo(
    *,
    once: bool,
    as_json: bool,
    path: Path | None,
    zookeeper: str,
    **listens: Listen | None,
) -> None:
    """Run a ClickHouse of one's own, with faults to find, and everything that watches it.

    Starts an embedded ClickHouse 26.9 with a workload (inserts, merges, a mutation that fails, broken and
    detached parts, slow and failing queries), writes a clustersight.yaml for it, and runs the exporter, the
    alerter and the API until Ctrl-C. What would go to Slack arrives on a page of this machine, and here as a
    line each. Nothing is left behind. Needs the extra; in the clone: pip install '.[demo]'.
    """
    progress = Progress()
    chosen = {name: listen or _default(name, once=once) for name, listen in listens.items()}
    options = Options(
        listen=chosen["listen"],
        alerter_listen=chosen["alerter_listen"],
        api_listen=chosen["api_listen"],
        inbox_listen=chosen["inbox_listen"],
        path=path,
        zookeeper=zookeeper,
    )
    try:
        if once:
            sys.exit(_once(options, progress, as_json=as_json))
        _run(options, progress, as_json=as_json)
    except DemoError as error:
        sys.exit(f"demo: {error}")


def _default(name: str, *, once: bool) -> Listen:
    return FREE_PORT if once else parse_listen(DEFAULT_LISTENS[name])


def _once(options: Options, progress: Progress, *, as_json: bool) -> int:
    quick = replace(
        options,
        interval_seconds=ONCE_INTERVAL_SECONDS,
        tier2_every=1,
        longest_for_seconds=ONCE_FOR_SECONDS,
        rules_every_seconds=ONCE_FOR_SECONDS,
    )
    report = check_once(quick, progress)
    if report is None:
        progress.say("stopped before everything was checked")
        return 1
    click.echo(json.dumps(report.data, indent=2) if as_json else report.text)
    return 0 if report.ok else 1


def _run(options: Options, progress: Progress, *, as_json: bool) -> None:
    show = _as_json if as_json else _as_text
    run(options, progress, on_ready=lambda running: click.echo(show(running, options.zookeeper)))


def _as_json(running: Demo, zookeeper: str) -> str:
    return json.dumps(
        {
            "exporter": running.exporter_url,
            "alerter": running.alerter_url,
            "api": running.api_url,
            "inbox": running.inbox.url.rstrip("/"),
            "clickhouse": running.clickhouse_url,
            "folder": str(running.folder),
            "faults": {fault.name: fault.selector for fault in faults(zookeeper=bool(zookeeper))},
        }
    )


def _as_text(running: Demo, zookeeper: str) -> str:
    exporter, alerter, api = running.exporter_url, running.alerter_url, running.api_url
    inbox, clickhouse = running.inbox.url, running.clickhouse_url
    shown = (*faults(zookeeper=bool(zookeeper)), LATER)
    found = table(
        ("look for", "alert", "in"), [(fault.name, fault.alert or "-", fault.selector) for fault in shown]
    )
    more = "" if zookeeper else f"\n{WITHOUT_ZOOKEEPER}\n"
    return f"""
The demo runs; open
  {api}/   what is wrong and what to run: alerts with their fix, clusters, panels
  {inbox}   what Slack would show; alerts come within a minute, and as a line each below
  {api}/api/v1/docs   the REST API, to read and to try
  {exporter}/   what the exporter read, panel by panel
  {exporter}/metrics   what Prometheus scrapes; the slow panels are there within seconds
  {alerter}/metrics   what the alerter says of itself

  curl -s '{api}/api/v1/alerts/history?status=active'
  curl -s {api}/api/v1/panels/health-score
  curl -s {exporter}/metrics | grep clickhouse_mutations_failing

The faults in it:

{found}
{more}
ClickHouse: curl '{clickhouse}/' --data-binary 'SELECT version()'   (takes any user name)
Configuration and logs: {running.folder}
Ctrl-C stops everything."""


if __name__ == "__main__":
    demo(prog_name="clustersight demo")

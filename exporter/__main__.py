"""`python -m exporter`, which is what `clustersight exporter` starts."""

from __future__ import annotations

import os
from pathlib import Path

import click

from clustersight import beginning
from clustersight.configuration import Start, tell_url
from clustersight.known import KNOWN
from clustersight.store.opening import open_store
from exporter.process import run


@click.command(
    context_settings=beginning.CONTEXT,
    epilog="Example: clustersight exporter --config clustersight.yaml",
)
@beginning.options("exporter")
def main(file: Path | None, listen: str | None, url_file: Path | None) -> None:
    """Collect ClickHouse's system tables and serve them as Prometheus metrics.

    Serves /metrics, / for people, /-/healthy and /-/ready; SIGHUP and POST /-/reload read the
    configuration again, all or nothing. SIGTERM stops it.
    """
    start = Start("exporter", KNOWN, file, listen)
    with beginning.giving_up(start):
        store = open_store(beginning.begin(start), os.environ)
        run(start.configuration, store, on_ready=lambda url: tell_url(url_file, url))


if __name__ == "__main__":
    main(prog_name="clustersight exporter")

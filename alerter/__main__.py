"""`python -m alerter`, which is what `clustersight alerter` starts."""

from __future__ import annotations

import os
from pathlib import Path

import click

from alerter.process import run
from clustersight import beginning
from clustersight.configuration import Start, tell_url
from clustersight.known import KNOWN
from clustersight.store.opening import open_store


@click.command(
    context_settings=beginning.CONTEXT,
    epilog="Example: clustersight alerter --config clustersight.yaml",
)
@beginning.options("alerter")
def main(file: Path | None, listen: str | None, url_file: Path | None) -> None:
    """Evaluate the rules on what the exporter stored, and deliver alerts to Slack and webhooks.

    Serves /metrics, /-/healthy, /-/ready and /-/status; SIGHUP and POST /-/reload read configuration and
    rule files again, all or nothing. SIGTERM stops it after the message in flight.
    """
    start = Start("alerter", KNOWN, file, listen)
    with beginning.giving_up(start):
        store = open_store(beginning.begin(start), os.environ)
        run(start.configuration, store, on_ready=lambda url: tell_url(url_file, url))


if __name__ == "__main__":
    main(prog_name="clustersight alerter")

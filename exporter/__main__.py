"""`python -m exporter`, which is what `clustersight exporter` starts."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from clustersight import logs
from clustersight.configuration import Start, tell_url
from clustersight.panels import NAMES
from clustersight.problem import SettingsError
from clustersight.settings.listen import parse_listen
from clustersight.store.errors import StoreError
from clustersight.store.opening import open_store
from exporter.process import run

log = logging.getLogger("exporter")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: clustersight exporter --config clustersight.yaml",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file. Default: $CLUSTERSIGHT_CONFIG.",
)
@click.option("--listen", help="HOST:PORT instead of exporter.listen; port 0 takes a free one.")
@click.option("--url-file", type=click.Path(path_type=Path), help="Write the URL here once it is served.")
def main(file: Path | None, listen: str | None, url_file: Path | None) -> None:
    """Collect ClickHouse's system tables and serve them as Prometheus metrics.

    Serves /metrics, / for people, /-/healthy and /-/ready; SIGHUP and POST /-/reload read the
    configuration again, all or nothing. SIGTERM stops it.
    """
    start = Start("exporter", NAMES, file, _valid(listen))
    try:
        loaded = start.read()
        logs.configure(loaded.settings.log.level, loaded.settings.log.format)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        store = open_store(loaded.settings, os.environ)
        run(start.configuration, store, on_ready=lambda url: tell_url(url_file, url))
    except (SettingsError, StoreError) as error:
        sys.exit(str(error))
    except OSError as error:
        where = listen or "exporter.listen"
        sys.exit(
            f"cannot listen on {where}: {error.strerror}; does another exporter run? Choose with --listen"
        )


def _valid(listen: str | None) -> str | None:
    try:
        if listen is not None:
            parse_listen(listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from error
    return listen


if __name__ == "__main__":
    main(prog_name="clustersight exporter")

"""`python -m exporter`, which is what `clustersight exporter` starts."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import click

from clustersight import logs
from clustersight.panels import NAMES
from clustersight.problem import SettingsError
from clustersight.settings import file as config_file
from clustersight.settings import web_config
from clustersight.settings.listen import parse_listen
from exporter.process import Configuration, run

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
    try:
        loaded = config_file.load(file, _environment(listen), NAMES)
        logs.configure(loaded.settings.log.level, loaded.settings.log.format)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        run(lambda: _load(file, listen), on_ready=lambda url: _write(url_file, url))
    except SettingsError as error:
        sys.exit(str(error))
    except OSError as error:
        where = listen or "exporter.listen"
        sys.exit(
            f"cannot listen on {where}: {error.strerror}; does another exporter run? Choose with --listen"
        )


def _environment(listen: str | None) -> dict[str, str]:
    environment = dict(os.environ)
    if listen is not None:
        try:
            parse_listen(listen)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--listen") from error
        # A quoted YAML string: [::1]:9116 would be a list.
        environment["CLUSTERSIGHT__EXPORTER__LISTEN"] = f'"{listen}"'
    return environment


def _load(file: Path | None, listen: str | None) -> Configuration:
    settings = config_file.load(file, _environment(listen), NAMES).settings
    web_file = settings.exporter.web_config_file
    return Configuration(settings, web_config.load(web_file) if web_file else None)


def _write(url_file: Path | None, url: str) -> None:
    if url_file is not None:
        unfinished = url_file.with_suffix(".part")
        unfinished.write_text(url + "\n")
        unfinished.replace(url_file)


if __name__ == "__main__":
    main(prog_name="clustersight exporter")

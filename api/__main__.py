"""`python -m api`, which is what `clustersight api` starts."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from api.server import Server
from clustersight import logs
from clustersight.configuration import Start, tell_url
from clustersight.panels import NAMES
from clustersight.problem import SettingsError
from clustersight.settings.listen import parse_listen
from clustersight.store.errors import StoreError

log = logging.getLogger("api")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: CLUSTERSIGHT_PASSWORD=… clustersight api --config clustersight.yaml",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file. Default: $CLUSTERSIGHT_CONFIG.",
)
@click.option("--listen", help="HOST:PORT instead of api.listen; port 0 takes a free one.")
@click.option("--url-file", type=click.Path(path_type=Path), help="Write the URL here once it is served.")
def main(file: Path | None, listen: str | None, url_file: Path | None) -> None:
    """Serve the REST API: /api/v1, with a page to try it at /api/v1/docs.

    Without CLUSTERSIGHT_PASSWORD it is open, and listens on this machine only. With one, each request
    needs `Authorization: Bearer $(printf %s "$CLUSTERSIGHT_PASSWORD" | sha256sum | cut -d' ' -f1)`.
    SIGHUP and POST /-/reload read the configuration again, all or nothing. SIGTERM stops it.

    For a WSGI server of your own: `gunicorn 'api:create_app()'`.
    """
    start = Start("api", NAMES, file, _valid(listen))
    try:
        loaded = start.read()
        logs.configure(loaded.settings.log.level, loaded.settings.log.format)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        server = Server(start.configuration, start.environ, on_ready=lambda url: tell_url(url_file, url))
    except (SettingsError, StoreError) as error:
        sys.exit(str(error))
    except OSError as error:
        where = listen or "api.listen"
        sys.exit(f"cannot listen on {where}: {error.strerror}; does another API run? Choose with --listen")
    server.run()


def _valid(listen: str | None) -> str | None:
    try:
        if listen is not None:
            parse_listen(listen)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from error
    return listen


if __name__ == "__main__":
    main(prog_name="clustersight api")

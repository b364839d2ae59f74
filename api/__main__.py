"""`python -m api`, which is what `clustersight api` starts."""

from __future__ import annotations

from pathlib import Path

import click

from api.server import Server
from clustersight import beginning
from clustersight.configuration import Start, tell_url
from clustersight.known import KNOWN


@click.command(
    context_settings=beginning.CONTEXT,
    epilog="Example: CLUSTERSIGHT_PASSWORD=… clustersight api --config clustersight.yaml",
)
@beginning.options("api")
def main(file: Path | None, listen: str | None, url_file: Path | None) -> None:
    """Serve the REST API: /api/v1, with a page to try it at /api/v1/docs.

    Without CLUSTERSIGHT_PASSWORD it is open, and listens on this machine only. With one, each request
    needs `Authorization: Bearer $(printf %s "$CLUSTERSIGHT_PASSWORD" | sha256sum | cut -d' ' -f1)`.
    SIGHUP and POST /-/reload read the configuration again, all or nothing. SIGTERM stops it.

    For a WSGI server of your own: `gunicorn 'api:create_app()'`.
    """
    start = Start("api", KNOWN, file, listen)
    with beginning.giving_up(start):
        beginning.begin(start)
        server = Server(start.configuration, start.environ, on_ready=lambda url: tell_url(url_file, url))
    server.run()


if __name__ == "__main__":
    main(prog_name="clustersight api")

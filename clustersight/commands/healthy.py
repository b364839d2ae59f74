"""`clustersight healthy`: asks processes of this machine whether they live, for a container without curl."""

from __future__ import annotations

import http
import http.client
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from clustersight import beginning
from clustersight.commands.up import NAMES
from clustersight.configuration import Start
from clustersight.known import KNOWN
from clustersight.problem import SettingsError
from clustersight.settings.listen import Listen

SECONDS = 5.0
_CHARACTERS = 200
# How TLS 1.3 and 1.2 say so; who hangs up first is only seen to have done so.
_WANTS_CERTIFICATE = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"})
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it listens, not we


class Unhealthy(Exception):
    """It does not answer, or says that it is not well; the text is for a person."""


def url_of(section: str, file: Path | None) -> str:
    """Where a process of this machine serves. Raises SettingsError, and Unhealthy: only it knows its port."""
    configuration = Start(section, KNOWN, file).configuration()
    listen: Listen = getattr(configuration.settings, section).listen
    if listen.port == 0:
        raise Unhealthy(f"{section}.listen is any free port; give its URL instead of its name")
    tls = configuration.web is not None and configuration.web.ssl_context() is not None
    return f"{'https' if tls else 'http'}://{Listen(_ANY.get(listen.host, listen.host), listen.port)}"


def ask(url: str, seconds: float = SECONDS) -> str:
    """What `/-/healthy` tells, in a word or two. Raises Unhealthy.

    A certificate is not checked: it names the machine as others do, and nothing secret is sent. A 401 is
    alive: the process answers, and its users' passwords are known here only as hashes. So is one that asks
    for a client's certificate, of which there is none here.
    """
    try:
        status, said = _get(url, seconds)
    except ssl.SSLError as error:
        if isinstance(error, ssl.SSLEOFError) or error.reason in _WANTS_CERTIFICATE:
            return "alive, but what it says of itself needs a client's certificate"
        raise Unhealthy(f"{url}: no TLS as it should be ({error.reason or error})") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unhealthy(f"{url}: no answer ({error or type(error).__name__}); does it run?") from None
    if status == http.HTTPStatus.UNAUTHORIZED:
        return "alive, but what it says of itself needs a password"
    if status != http.HTTPStatus.OK:
        raise Unhealthy(f"{url}: {status} {said}")
    return "healthy"


def _get(url: str, seconds: float) -> tuple[int, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=seconds, context=_unchecked())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=seconds)
    )
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/-/healthy")
        answer = connection.getresponse()
        said = answer.read(4 * _CHARACTERS).decode(errors="replace")
    finally:
        connection.close()
    return answer.status, " ".join(said.split())[:_CHARACTERS]


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _valid(_context: click.Context, _parameter: click.Parameter, what: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [one for one in what if one not in NAMES and not _is_url(one)]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is neither {', '.join(NAMES)} nor http://HOST:PORT")
    return what or NAMES


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False


@click.command(
    context_settings=beginning.CONTEXT,
    epilog="Examples: clustersight healthy · clustersight healthy exporter · "
    "clustersight healthy http://127.0.0.1:9116",
)
@click.argument("what", nargs=-1, metavar="[exporter|alerter|api|URL]...", callback=_valid)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file, for the addresses. Default: $CLUSTERSIGHT_CONFIG.",
)
def healthy(what: tuple[str, ...], file: Path | None) -> None:
    """Ask processes whether they are alive, at the addresses that the configuration gives them.

    All three without arguments. For the healthcheck of a container. 0: all are. 1: one is not, or the
    configuration cannot be read; the message says which.
    """
    well = [_tell(one, file) for one in what]
    sys.exit(0 if all(well) else 1)


def _tell(one: str, file: Path | None) -> bool:
    try:
        click.echo(f"{one}: {ask(url_of(one, file) if one in NAMES else one)}")
    except (Unhealthy, SettingsError) as error:
        click.echo(f"{one}: {error}", err=True)
        return False
    return True


if __name__ == "__main__":
    healthy(prog_name="clustersight healthy")

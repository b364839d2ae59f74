"""`clustersight dashboards diff`: what a push would change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click

from clustersight.commands.rules_choice import count, tell
from clustersight.table import visible
from grafana.client import Existing, Grafana
from grafana.commands.options import EXIT_DIFFERENCES, EXIT_FAILED, grafana_at, ours, reaching
from grafana.differences import compare
from grafana.failures import GrafanaError, GrafanaUnusableError
from grafana.files import Json

# Somebody who saved another dashboard under our uid changed everything.
_MOST_LINES = 20


@click.command(epilog="Example: GRAFANA_TOKEN=… clustersight dashboards diff https://grafana.example")
@reaching
@click.pass_context
def diff(
    context: click.Context, url: str, *, api_url: str | None, token_file: Path | None, most: timedelta
) -> None:
    """Compare the dashboards of this package with those of the Grafana at URL: Grafana -> ours.

    What Grafana adds by itself (id, version and the like) is no difference. The token needs dashboards:read.
    0: all are the same. 2: some differ, or are not there. 1: it cannot be told. 64: a wrong call.
    """
    dashboards = ours(context, api_url)
    grafana = grafana_at(context, url, token_file, most)
    differing, failed = 0, 0
    for dashboard in dashboards:
        try:
            found = [*_lines(dashboard, grafana)]
        except GrafanaUnusableError as error:
            tell([str(error)])
            context.exit(EXIT_FAILED)
        except GrafanaError as error:
            tell([f"{dashboard['uid']}: {error}"])
            failed += 1
            continue
        differing += len(found) > 0
        for line in found or [f"{dashboard['uid']}: same"]:
            click.echo(visible(line))
    same = len(dashboards) - differing - failed
    tell([f"{count(len(dashboards), 'dashboard')}: {same} same, {differing} to push, {failed} not compared"])
    context.exit(EXIT_FAILED if failed else EXIT_DIFFERENCES if differing else 0)


def _lines(dashboard: Json, grafana: Grafana) -> Iterator[str]:
    """Nothing if they are the same. Raises GrafanaError."""
    existing = grafana.dashboard(dashboard["uid"])
    if existing is None:
        yield f"{dashboard['uid']}: missing in Grafana"
        return
    found = compare(dashboard, existing.dashboard)
    if not found:
        return
    yield f"{dashboard['uid']}: differs{_provisioned(existing)}"
    yield from (f"    {one}" for one in found[:_MOST_LINES])
    if len(found) > _MOST_LINES:
        yield f"    and {len(found) - _MOST_LINES} more"


def _provisioned(existing: Existing) -> str:
    return " (provisioned from a file, which a push cannot change)" if existing.is_provisioned else ""

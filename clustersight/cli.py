"""The `clustersight` command: one entry for everything that a person types."""

from __future__ import annotations

import os
import sys

import click

from clustersight import __version__
from clustersight.commands.cluster import cluster
from clustersight.commands.config import KNOWN_NAMES, config
from clustersight.commands.demo import demo
from clustersight.commands.healthy import healthy
from clustersight.commands.rules import rules
from clustersight.commands.scrape import scrape
from clustersight.commands.store import store
from clustersight.known import KNOWN

# Arguments of a process are its own: it parses them, and its --help teaches them.
_PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="clustersight %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Watch ClickHouse: metrics for Prometheus, alerts in Slack, and a REST API.

    Start with `clustersight demo`, which brings a ClickHouse of its own, or write a clustersight.yaml,
    look at it with `clustersight config check`, and run `clustersight up`.
    """
    context.meta[KNOWN_NAMES] = KNOWN


@main.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def exporter(arguments: tuple[str, ...]) -> None:
    """Run the exporter: collect, and serve /metrics on 127.0.0.1:9116."""
    # -P: a folder of the user's that is called exporter/ must not shadow ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "exporter", *arguments])  # noqa: S606


@main.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def api(arguments: tuple[str, ...]) -> None:
    """Run the API: /api/v1 on 127.0.0.1:3001."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "api", *arguments])  # noqa: S606


@main.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def alerter(arguments: tuple[str, ...]) -> None:
    """Run the alerter: evaluate rules, deliver alerts; /metrics on 127.0.0.1:9126."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "alerter", *arguments])  # noqa: S606


@main.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def up(arguments: tuple[str, ...]) -> None:
    """Run all three under one supervisor: in one container, or as one unit."""
    # Anew, without all the commands: it stays as long as its processes.
    module = "clustersight.commands.up"
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])  # noqa: S606


@main.command(context_settings=_PASS_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dashboards(arguments: tuple[str, ...]) -> None:
    """Grafana dashboards: build and check their JSON, compare it with a Grafana, push it."""
    # Of its own, as a process is: the core knows nothing of Grafana, and its SDK is optional.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "grafana", *arguments])  # noqa: S606


for command in (demo, config, rules, cluster, scrape, store, healthy):
    main.add_command(command)

"""`clustersight up`: exporter, alerter and API under one parent, for one container or one unit."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from clustersight import beginning, logs
from clustersight.configuration import Start
from clustersight.known import KNOWN
from clustersight.problem import SettingsError
from clustersight.supervising.child import Program
from clustersight.supervising.output import take_stderr
from clustersight.supervising.supervisor import Supervisor

NAMES = ("exporter", "alerter", "api")
# The API lets answers in flight end for 15 s, the exporter writes what it found for 10 s.
STOP_SECONDS = 25.0


def programs(file: Path | None) -> list[Program]:
    """The three processes with this configuration file."""
    option = ["--config", str(file)] if file is not None else []
    # -P: a folder of the user's that is called exporter/ must not shadow ours.
    return [Program(name, (sys.executable, "-P", "-m", name, *option)) for name in NAMES]


@click.command(
    context_settings=beginning.CONTEXT, epilog="Example: clustersight up --config clustersight.yaml"
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file. Default: $CLUSTERSIGHT_CONFIG.",
)
@click.option(
    "--stop-seconds",
    type=click.FloatRange(0.0, 3600.0),
    default=STOP_SECONDS,
    show_default=True,
    help="What the processes get to end by themselves at SIGTERM; then they are killed.",
)
def up(file: Path | None, stop_seconds: float) -> None:
    """Run exporter, alerter and API under one supervisor.

    One that dies is started again, after 1 s at first and 60 s at most. SIGHUP has all three read their
    configuration again, SIGTERM and SIGINT stop them, a second one at once. 0: it was stopped. 1: the
    configuration is wrong, or a process refused to start; the message says which.
    """
    take_stderr()
    try:
        settings = Start("up", KNOWN, file).read().settings
    except SettingsError as error:
        sys.exit(str(error))
    logs.configure(settings.log.level, settings.log.format)
    supervisor = Supervisor(programs(file), time.monotonic, stop_seconds)
    supervisor.run()
    if supervisor.refusal:
        sys.exit(f"up: {supervisor.refusal}; the others were stopped")


if __name__ == "__main__":
    up(prog_name="clustersight up")

"""`python -m grafana`, which is what `clustersight dashboards` starts."""

from __future__ import annotations

import click

from clustersight.commands.usage import Group
from grafana.commands.build import build
from grafana.commands.check import check
from grafana.commands.diff import diff
from grafana.commands.push import push


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Grafana dashboards of ClickHouse as code: build and check them, compare them with a Grafana, push them.

    \b
    Look at what would change in a Grafana, then put it there:
      export GRAFANA_TOKEN=glsa_…          a service account's, with the role Editor
      clustersight dashboards diff https://grafana.example
      clustersight dashboards push https://grafana.example --api-url https://clustersight.example

    \b
    Change a dashboard (grafana/boards/), and have CI see that its JSON follows:
      clustersight dashboards build
      clustersight dashboards check

    diff and push take the JSON that ships with this package. build and check need Grafana's SDK:
    in the clone, pip install '.[dashboards]'. A wrong call exits 64.
    """


for command in (build, check, diff, push):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="clustersight dashboards")

"""Rules by the thousand, each of one disk, and the disks: as our rule files, and for Prometheus."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.alerter.feeding import CLUSTER, HOST

CLI = (sys.executable, "-P", "-c", "from clustersight.cli import main; main()")
# As in facts/alerting-engines.md 6.1.
PER_GROUP = 50
THRESHOLD = 85
# What 2.36 MB of 10 000 rules look like there.
_RULE = """\
      - alert: {name}
        metric_key: disk.usage_pct
        operator: ">"
        threshold: {threshold}
        match: {{disk: {disk}}}
        severity: warning
        annotations:
          summary: "Disk {{{{ $labels.disk }}}} is at {{{{ $value | humanizePercent }}}}"
"""


def disks(number: int) -> list[str]:
    return [f"disk{n:05}x" for n in range(number)]


def usage(number: int, chance: random.Random) -> dict[str, float]:
    """Of each disk in percent, above the threshold."""
    return {disk: 90 + round(9 * chance.random(), 2) for disk in disks(number)}


def calm(number: int) -> dict[str, float]:
    return dict.fromkeys(disks(number), 10.0)


def rule_name(disk: str) -> str:
    return f"Filling_{disk}"


def group(number: int, some: Sequence[str], interval: str, threshold: int = THRESHOLD) -> str:
    """A group of a rule file: a rule for each of these disks."""
    head = f"  - name: group{number}\n    interval: {interval}\n    rules:\n"
    return head + "".join(_RULE.format(name=rule_name(disk), disk=disk, threshold=threshold) for disk in some)


def rule_file(number: int, interval: str) -> str:
    """All groups in one file."""
    return "groups:\n" + "".join(group(n, some, interval) for n, some in enumerate(_groups(number)))


def write_rules(folder: Path, number: int, interval: str) -> list[Path]:
    """A file for each group; returns them."""
    folder.mkdir(parents=True)
    files = []
    for n, some in enumerate(_groups(number)):
        files.append(folder / f"group{n:03}.yaml")
        files[-1].write_text("groups:\n" + group(n, some, interval))
    return files


def change_threshold(file: Path) -> None:
    """Of the file's first rule."""
    text = file.read_text()
    before, _, after = text.partition("threshold: ")
    value, _, rest = after.partition("\n")
    file.write_text(f"{before}threshold: {int(value) - 1}\n{rest}")


def _groups(number: int) -> list[list[str]]:
    every = disks(number)
    return [every[first : first + PER_GROUP] for first in range(0, number, PER_GROUP)]


def exported(path: Path) -> str:
    """What `clustersight rules export` makes of them."""
    command = [*CLI, "rules", "export", "--format", "prometheus", str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def regrouped(text: str) -> str:
    """The exported rules in groups as ours: the export has one for each interval, which is one thread."""
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    groups = [
        {**one, "name": f"{one['name']} {first}", "rules": one["rules"][first : first + PER_GROUP]}
        for one in document["groups"]
        for first in range(0, len(one["rules"]), PER_GROUP)
    ]
    return json.dumps({"groups": groups})  # JSON is YAML


def page(found: Mapping[str, float]) -> bytes:
    """The disks as our exporter would show them."""
    lines = ["# TYPE clickhouse_disk_usage_ratio gauge"]
    lines += [
        f'clickhouse_disk_usage_ratio{{cluster="{CLUSTER}",host="{HOST}",disk="{disk}"}} {value / 100:.4f}'
        for disk, value in found.items()
    ]
    return ("\n".join(lines) + "\n").encode()

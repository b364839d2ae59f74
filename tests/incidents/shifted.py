"""Exporter and alerter whose wall clock is injected, as processes: a day passes between two starts.

`python shifted.py SECONDS exporter …` is `python -m exporter …` on a clock that is so far ahead.
"""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.alerter import AlerterProcess
from tests.servers.exporter import ExporterProcess
from tests.servers.ours import OurProcess

ROOT = Path(__file__).parents[2]


class _Shifted(OurProcess):
    """The clock may be moved between stop() and start()."""

    def __init__(self, folder: Path, config: Mapping[str, Any], shift_seconds: float = 0.0) -> None:
        super().__init__(folder, config)
        self.shift_seconds = shift_seconds
        self.environment = {"PYTHONPATH": str(ROOT)}

    def command(self) -> Sequence[str]:
        plain = list(super().command())
        if not self.shift_seconds:
            return plain
        module = plain.index("-m")
        return [*plain[:module], __file__, str(self.shift_seconds), *plain[module + 1 :]]


class ShiftedExporter(_Shifted, ExporterProcess):
    """The exporter; without a shift it is the plain one."""


class ShiftedAlerter(_Shifted, AlerterProcess):
    """The alerter; without a shift it is the plain one."""


def main() -> None:
    _, seconds, module, *arguments = sys.argv
    real, shift = time.time, float(seconds)
    time.time = lambda: real() + shift
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=False)


if __name__ == "__main__":
    main()

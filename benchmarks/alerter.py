"""The alerter beside Debian's Prometheus and Alertmanager, on the same rules, in the same run."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import alerter_hang, alerter_passes, alerter_storm, rules_check
from benchmarks.figures import Figure
from benchmarks.place import Place

NAME = "alerter"


def measure(place: Place) -> Iterator[Figure]:
    """Each part with processes of its own."""
    folder = place.folder / NAME
    for part in (rules_check, alerter_passes, alerter_storm, alerter_hang):
        for name, unit, values, bound, peer in part.measure(folder / part.__name__.rpartition(".")[2]):
            yield Figure(NAME, name, unit, tuple(values), bound, tuple(peer))

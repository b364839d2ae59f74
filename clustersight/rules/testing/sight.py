"""What evaluation sees of the series of a test at one moment, as the alerter's sight of snapshots."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from clustersight.alerts.keys import AGE_INTERVALS, AGE_SECONDS, panel_of
from clustersight.alerts.readings import BLIND_INTERVALS, KeyReadings, Value
from clustersight.metrics import Rate
from clustersight.plans import SKEW_SECONDS
from clustersight.rules.testing.counters import Counting
from clustersight.rules.testing.feeding import Counter, Fed, counting
from clustersight.rules.testing.notation import Gap, Point

# A panel of a node; a cluster's own values have the host "".
_Run = tuple[str, str, str]


class TestSight:
    """At each interval a panel of a node is read, unless all of its series there are missing (`_`) then.

    What was read last holds for two intervals, then the node is blind. A series that is past its last value,
    or stale, is absent from a run that was read.
    """

    __test__ = False

    def __init__(self, series: Iterable[Fed | Counter], interval: int, begin: int = 0) -> None:
        self.now = self._begin = begin
        self._interval = interval
        every = list(series)
        self._fed: dict[tuple[str, str], list[Fed]] = defaultdict(list)
        for one in every:
            if isinstance(one, Fed):
                self._fed[one.cluster, one.key].append(one)
        self._counting = dict(_counting([one for one in every if isinstance(one, Counter)], interval))
        self._read = _read_at(every)
        self._hosts: dict[tuple[str, str], list[str]] = defaultdict(list)
        for cluster, host, panel in self._read:
            self._hosts[cluster, panel].append(host)
        self.clusters: Mapping[str, str] = {one.cluster: one.cluster for one in every}

    def has(self, key: str) -> bool:
        """Whether anything is told of a key, or of its panel."""
        return any(panel == panel_of(key) for _, panel in self._hosts)

    def feeds(self, key: str) -> bool:
        """Whether some series is of this very key."""
        return any(one == key for _, one in (*self._fed, *self._counting))

    def readings(self, cluster_id: str, key: str) -> KeyReadings:
        """What is known of a key in a cluster."""
        panel = panel_of(key)
        read = {host: self._last_read((cluster_id, host, panel)) for host in self._hosts[cluster_id, panel]}
        latest = BLIND_INTERVALS * self._interval + SKEW_SECONDS
        good = frozenset(
            host
            for host, index in read.items()
            if index >= 0 and self.now - self._begin - index * self._interval <= latest
        )
        values = [value for value in self._values(cluster_id, key, read) if value.host in good]
        # How old a panel is is known above all where it cannot be read.
        hosts = frozenset(read) if key in (AGE_SECONDS, AGE_INTERVALS) else good
        return KeyReadings(values, hosts, frozenset(read) - hosts)

    def _last_read(self, run: _Run) -> int:
        """The last interval in which the panel was read, -1 for none."""
        known, index = self._read[run], (self.now - self._begin) // self._interval
        return index if index >= len(known) else known[index]

    def _values(self, cluster_id: str, key: str, read: Mapping[str, int]) -> Iterator[Value]:
        for one in self._fed.get((cluster_id, key), ()):
            point = _at(one.points, read[one.host])
            if not isinstance(point, Gap) and not math.isnan(point):
                yield Value(one.host, one.labels, point)
        if (cluster_id, key) in self._counting:
            yield from self._counting[cluster_id, key].values(self.now)


def _at(points: Sequence[Point], index: int) -> Point:
    return points[index] if 0 <= index < len(points) else Gap.STALE


def _read_at(series: Sequence[Fed | Counter]) -> dict[_Run, list[int]]:
    """For each panel of a node and each interval, when it was last read; after all values it always is."""
    of_run: dict[_Run, list[tuple[Point, ...]]] = defaultdict(list)
    for one in series:
        of_run[one.cluster, one.host, one.panel].append(one.points)
    return {run: list(_last(some)) for run, some in of_run.items()}


def _last(some: Sequence[tuple[Point, ...]]) -> Iterator[int]:
    last = -1
    for index in range(max(map(len, some))):
        if any(_at(points, index) is not Gap.MISSING for points in some):
            last = index
        yield last


def _counting(counters: Sequence[Counter], interval: int) -> Iterator[tuple[tuple[str, str], Counting]]:
    for cluster in {one.cluster for one in counters}:
        own = [one for one in counters if one.cluster == cluster]
        for key in {known.key: known for one in own for known in counting()[one.family]}.values():
            if isinstance(key.source, Rate):
                yield (cluster, key.key), Counting(key.source, own, interval)

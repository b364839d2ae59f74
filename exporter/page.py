"""The page: rendered pieces per node and panel, put together at most once a second, served as bytes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from clustersight.caps import STICKY_SECONDS, Group, Key, choose, group, mark_sticky
from clustersight.metrics import Metric, Sample
from exporter.exposition import header, openmetrics_header, render

# Level 1: a twelfth of the size for a tenth of the time of level 9 on this kind of text.
GZIP_LEVEL = 1
REBUILD_SECONDS = 1.0
# Nobody has scraped for this long: the page is not put together until somebody does.
IDLE_SECONDS = 300.0


class PieceKey(NamedTuple):
    """Whose samples these are; `panel` is empty for what is said of the node itself."""

    cluster: str
    host: str
    panel: str


@dataclass(slots=True)
class Piece:
    """The samples of one panel on one node, and their lines once rendered.

    `fitting` are within max_rows_per_panel; `kept` of these are within max_series as well.
    """

    always: list[Sample] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    fitting: list[Group] = field(default_factory=list)
    kept: list[Group] = field(default_factory=list)
    total: int = 0
    lines: dict[Metric, bytes] = field(default_factory=dict)

    @property
    def series(self) -> int:
        return len(self.always) + sum(len(g.samples) for g in self.kept)


class Format(StrEnum):
    """The two forms in which a page is asked for; Prometheus asks for OpenMetrics first."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"


@dataclass(frozen=True, slots=True)
class Built:
    """One finished page in one format."""

    text: bytes = b""
    gzipped: bytes = b""
    built_at: float = float("-inf")


class Page:
    """Written by collecting threads, read by scraping ones. `extra` gives text to put at the end."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        max_rows_per_panel: int = 500,
        max_series: int = 100_000,
        extra: Callable[[Format], bytes] = lambda _: b"",
    ) -> None:
        self.max_rows_per_panel = max_rows_per_panel
        self.max_series = max_series
        self._monotonic = monotonic
        self._extra = extra
        self._pieces: dict[PieceKey, Piece] = {}
        self._exported_at: dict[PieceKey, dict[Key, float]] = {}
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._dirty = True
        self._asked_at: dict[Format, float] = {}
        self._built: dict[Format, Built] = {}

    def put(self, key: PieceKey, samples: Iterable[Sample]) -> int:
        """Replace a piece; returns how many of its series do not fit into max_rows_per_panel."""
        always, groups = group(samples)
        piece = Piece(always, groups)
        piece.total = len(always) + sum(len(g.samples) for g in groups)
        with self._lock:
            piece.fitting = piece.kept = self._choose(key, groups)
            _render(key, piece)
            self._pieces[key] = piece
            self._dirty = True
        return piece.total - piece.series

    def _choose(self, key: PieceKey, groups: list[Group]) -> list[Group]:
        now = self._monotonic()
        exported = self._exported_at.setdefault(key, {})
        # For its own sake, without the hour's grace: else a series once seen would never go.
        deserving = choose(groups, self.max_rows_per_panel)
        mark_sticky(groups, exported, now)
        kept = choose(groups, self.max_rows_per_panel)
        for old in [k for k, at in exported.items() if now - at >= STICKY_SECONDS]:
            del exported[old]
        exported.update((g.key, now) for g in deserving)
        return kept

    def drop(self, wanted: Callable[[PieceKey], bool]) -> None:
        """Take away every piece for which `wanted` is true."""
        with self._lock:
            for key in [k for k in self._pieces if wanted(k)]:
                del self._pieces[key]
                self._dirty = True

    def forget(self, cluster: str, host: str) -> None:
        """The node left: nothing of it stays, not even what its series were."""
        self.drop(lambda k: (k.cluster, k.host) == (cluster, host))
        with self._lock:
            for key in [k for k in self._exported_at if (k.cluster, k.host) == (cluster, host)]:
                del self._exported_at[key]

    def dropped(self, cluster: str, host: str) -> dict[str, int]:
        """Series of each panel that are not on the page."""
        with self._lock:
            return {
                key.panel: piece.total - piece.series
                for key, piece in self._pieces.items()
                if (key.cluster, key.host) == (cluster, host) and key.panel
            }

    @property
    def series(self) -> int:
        """How many series the pieces hold."""
        with self._lock:
            return sum(piece.series for piece in self._pieces.values())

    def latest(self, page_format: Format = Format.TEXT) -> Built:
        """What a scrape gets: the last page, which is put together here only after an idle time."""
        awake = self._is_wanted(page_format)
        self._asked_at[page_format] = self._monotonic()
        if not awake:
            self.build()
        return self._built[page_format]

    def _is_wanted(self, page_format: Format) -> bool:
        asked = self._asked_at.get(page_format)
        return asked is not None and self._monotonic() - asked < IDLE_SECONDS and page_format in self._built

    def tick(self) -> None:
        """Put the page together if anything changed, a second has gone by, and somebody asks for it."""
        last = max((built.built_at for built in self._built.values()), default=float("-inf"))
        if self._dirty and self._monotonic() - last >= REBUILD_SECONDS and any(map(self._is_wanted, Format)):
            self.build()

    def build(self) -> None:
        """Put the page together now, in the formats that somebody asks for."""
        with self._building:
            with self._lock:
                self._dirty = False
                self._fit()
                families = _by_family(self._pieces)
            for page_format in Format:
                asked = self._asked_at.get(page_format)
                if asked is None or self._monotonic() - asked >= IDLE_SECONDS:
                    self._built.pop(page_format, None)  # megabytes that nobody reads
                else:
                    self._built[page_format] = self._finish(families, page_format)

    def _finish(self, families: Mapping[Metric, list[bytes]], page_format: Format) -> Built:
        head = header if page_format is Format.TEXT else openmetrics_header
        parts = [part for metric, lines in families.items() for part in (head(metric), *lines)]
        text = b"".join(parts) + self._extra(page_format)
        return Built(text, gzip.compress(text, GZIP_LEVEL, mtime=0), self._monotonic())

    def _fit(self) -> None:
        """Keep the whole page within max_series: the worst of all nodes and panels stay."""
        fitting = {key: piece.fitting for key, piece in self._pieces.items()}
        always = sum(len(piece.always) for piece in self._pieces.values())
        if always + sum(len(g.samples) for groups in fitting.values() for g in groups) <= self.max_series:
            self._keep(fitting)
        else:
            self._keep(_within(self.max_series - always, fitting))

    def _keep(self, chosen: Mapping[PieceKey, list[Group]]) -> None:
        for key, piece in self._pieces.items():
            kept = chosen[key]
            if kept is not piece.kept and list(map(id, kept)) != list(map(id, piece.kept)):
                piece.kept = kept
                _render(key, piece)

    def select(self, cluster: str, panel: str | None) -> bytes:
        """The page of one cluster, and of one panel of it if named."""
        with self._lock:
            pieces = {
                key: piece
                for key, piece in self._pieces.items()
                if key.cluster == cluster and panel in (None, key.panel)
            }
            families = _by_family(pieces)
        return b"".join(part for metric, lines in families.items() for part in (header(metric), *lines))


def _within(room: int, fitting: Mapping[PieceKey, list[Group]]) -> dict[PieceKey, list[Group]]:
    ranked = sorted(
        ((g.rank, key, g) for key, groups in fitting.items() for g in groups),
        key=lambda entry: entry[0],
        reverse=True,
    )
    chosen: dict[PieceKey, list[Group]] = {key: [] for key in fitting}
    for _, key, candidate in ranked:
        room -= len(candidate.samples)
        if room < 0:
            break
        chosen[key].append(candidate)
    return chosen


def _render(key: PieceKey, piece: Piece) -> None:
    samples = [*piece.always, *(s for g in piece.kept for s in g.samples)]
    lines = render(samples, key.cluster, key.host)
    piece.lines = {
        metric: "".join(text).encode("utf-8", "backslashreplace") for metric, text in lines.items()
    }


def _by_family(pieces: Mapping[PieceKey, Piece]) -> dict[Metric, list[bytes]]:
    """Lines by family, in the order of the names; families of one name (with other labels) are one."""
    first: dict[str, Metric] = {}
    families: dict[Metric, list[bytes]] = {}
    for piece in pieces.values():
        for metric, text in piece.lines.items():
            families.setdefault(first.setdefault(metric.name, metric), []).append(text)
    return {metric: families[metric] for metric in sorted(families, key=lambda m: m.name)}

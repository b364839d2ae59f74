"""What the landing page says, ready to be rendered: texts are clean and cut, times are words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clustersight.notify import wording
from clustersight.notify.limits import clean
from clustersight.plans import SKEW_SECONDS

# ClickHouse lets names be longer than a phone is wide; a text is what a rule or a server says.
NAME_SIZE = 200
TEXT_SIZE = 1000


class Level(StrEnum):
    """How bad something is; `no_data` is never `ok`."""

    CRITICAL = "critical"
    NO_DATA = "no-data"
    WARNING = "warning"
    OK = "ok"
    CALM = "calm"  # there is nothing to judge: a panel that is switched off


class Kind(StrEnum):
    """Which page it is."""

    FULL = "full"
    EMPTY = "empty"  # no cluster is configured
    UNREADABLE = "unreadable"  # the store is


@dataclass(frozen=True, slots=True)
class Link:
    """An empty `href`: to be read, not to be followed."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert; `quiet` says why nobody is told again, `fix` what to run."""

    id: str
    level: Level
    name: str
    cluster: str
    host: str
    table: str
    labels: tuple[tuple[str, str], ...]
    summary: str
    description: str
    place: str
    since: str
    lasted: str
    measured: str
    fix: str
    fix_is_cut: bool
    evidence: tuple[tuple[str, str], ...]
    quiet: str
    is_old: bool  # nothing is known of its cluster now
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class ComponentView:
    """A part of the score; `share` is 0 to 100, None where it is not known."""

    label: str
    level: Level
    score: str
    share: float | None
    note: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """One server."""

    host: str
    level: Level
    state: str
    about: str
    error: str


@dataclass(frozen=True, slots=True)
class PanelView:
    """One panel on one node."""

    panel: str
    host: str
    level: Level
    status: str
    age: str
    message: str


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster; `why` says what is wrong with watching it, `more_…` how many are not shown."""

    id: str
    name: str
    level: Level
    score: str
    grade: str
    score_level: Level
    about: tuple[str, ...]
    why: str
    components: tuple[ComponentView, ...]
    deductions: tuple[tuple[str, str], ...]
    nodes: tuple[NodeView, ...]
    more_nodes: int
    node_counts: str
    troubled: tuple[PanelView, ...]
    more_troubled: int
    calm: tuple[PanelView, ...]
    more_calm: int
    panel_counts: str
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing to read, and what else is to be known."""

    level: Level
    headline: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Landing:
    """The whole page; `refresh_sec` 0: it stays as it is. `rest` is where all alerts and all clusters are.

    `is_judged`: somebody evaluates rules, so that to see no alert means something.
    """

    kind: Kind
    verdict: Verdict
    at: str
    version: str
    is_open: bool
    refresh_sec: int
    links: tuple[Link, ...]
    rest: tuple[Link, Link]
    alerts: tuple[AlertView, ...] = ()
    more_alerts: int = 0
    clusters: tuple[ClusterView, ...] = ()
    more_clusters: int = 0
    is_judged: bool = False


def name(text: str) -> str:
    """A name from a stranger, on one line."""
    return clean(text, NAME_SIZE)


def text(words: str) -> str:
    """What a rule or a server says, with its line breaks."""
    return clean(words, TEXT_SIZE, lines=True).strip()


def ago(now: float, then: float | None) -> str:
    """`12 s ago`; both in epoch seconds."""
    if then is None:
        return "never"
    if then > now + SKEW_SECONDS:
        return "in the future (check the clocks)"
    return f"{lasted(now - then)} ago"


def lasted(seconds: float) -> str:
    """`12 s`, `9 min`, `2 h 5 min`: nobody counts the seconds of minutes."""
    whole = int(max(0.0, seconds))
    return wording.span(float(whole if whole < 60 else whole - whole % 60))


def counted(number: int, noun: str) -> str:
    """`1 node`, `1,234 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

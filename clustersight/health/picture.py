"""A cluster at one moment, as the components look at it, and what of it is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from clustersight.health import families
from clustersight.health.deduction import Deduction, names, worst
from clustersight.health.node import Found, NodeState
from clustersight.health.thresholds import LINES, Line
from clustersight.health.windows import Change, Window, Windows

# The panel of what the runner itself knows.
RUNNER = ""
# How a run ends that says that there is nothing to know.
_NO_INPUT = frozenset({"unsupported", "disabled"})


@dataclass(frozen=True)
class Picture:
    """Everything that the components need; `now` in epoch seconds."""

    nodes: tuple[NodeState, ...]
    windows: Windows
    now: float
    lines: Mapping[str, Line] = field(default_factory=lambda: LINES)
    backup_every_seconds: float | None = None

    @cached_property
    def reachable(self) -> tuple[NodeState, ...]:
        return tuple(node for node in self.nodes if node.reachable)

    @cached_property
    def down(self) -> tuple[NodeState, ...]:
        return tuple(node for node in self.nodes if not node.reachable)

    def found(self, family: str) -> Iterator[Found]:
        """Every series of the family on every node."""
        for node in self.nodes:
            yield from node.found(family)

    def worst(self, line: str, family: str, say: Callable[[float], str]) -> Deduction | None:
        """What the highest value of a family costs."""
        highest = (node.highest(family) for node in self.nodes)
        return worst(self.lines[line], filter(None, highest), say)

    def changes(self, window: Window) -> Iterator[Change]:
        """What history says of the nodes that the cluster has now, also of one that is down."""
        hosts = {node.host for node in self.nodes}
        return (change for change in self.windows.of(window) if change.host in hosts)

    @cached_property
    def hosts_of(self) -> dict[Window, frozenset[str]]:
        """The hosts of which history knows something, by window."""
        changes = self.windows.changes
        return {window: frozenset(change.host for change in found) for window, found in changes.items()}

    def by_host(self, window: Window) -> dict[str, list[Change]]:
        found: dict[str, list[Change]] = {}
        for change in self.changes(window):
            found.setdefault(change.host, []).append(change)
        return found


@dataclass(frozen=True, slots=True)
class Input:
    """One thing that a component wants to know of every node.

    It is known where its panel's last run ended ok (what is absent then is at rest), or while
    samples of its `families` are fresh; and, where the first family of a window is there, if history
    knows it too. Of the runner's own it is known where there is a sample, or nothing to be sampled.
    `told_by_refusal`: a server that refuses queries for overload has answered it.
    """

    name: str
    panel: str
    families: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    told_by_refusal: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """`lines` are for people; `reason` is why the rest says nothing, empty where it does."""

    lines: tuple[str, ...]
    reason: str


def missing(picture: Picture, inputs: Iterable[Input]) -> Missing:
    """Look for every input on every node that answers; of one that does not, all is unknown."""
    wanted = 0
    absent: dict[tuple[str, str], list[str]] = {}
    for node in picture.reachable:
        for one in inputs:
            why = _why_missing(picture, node, one)
            wanted += why is not None
            if why:
                absent.setdefault((one.name, why), []).append(node.host)
    count = sum(map(len, absent.values()))
    lines = [f"{name} of {names(hosts)}: {why}" for (name, why), hosts in absent.items()]
    if picture.down:
        lines.append(f"everything of {names(node.host for node in picture.down)}: unreachable")
    return Missing(tuple(lines), _why_unknown(count, wanted))


def _why_unknown(absent: int, wanted: int) -> str:
    """Of the nodes that answer: while others are down, these still say how they are."""
    if not wanted:
        return "no input of it can be read here"
    return "half of its inputs are missing" if 2 * absent >= wanted else ""


def _why_missing(picture: Picture, node: NodeState, one: Input) -> str | None:
    """Empty where it is known, None where it is no input."""
    sampled = any(family in node.by_family for family in one.families)
    if one.panel == RUNNER:
        return "" if sampled or not one.families else "no panel has run"
    status = node.statuses.get(one.panel)
    if status in _NO_INPUT or (status is None and one.panel in families.OPTIONAL_PANELS):
        return None
    if one.told_by_refusal and node.refuses:
        return ""
    if status != "ok" and not sampled:
        return f"panel {one.panel} is {status}" if status else f"panel {one.panel} has not been read"
    return _why_no_history(picture, node, one)


def _why_no_history(picture: Picture, node: NodeState, one: Input) -> str:
    for window in one.windows:
        if window.family in node.by_family and node.host not in picture.hosts_of.get(window, ()):
            return "no history yet"
    return ""

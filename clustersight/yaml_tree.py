"""YAML as plain data that remembers where each value stood."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

Keys = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
# A configuration of a thousand clusters has about 20 000 nodes; aliases of aliases reach 10^9 in ten lines.
MAX_NODES = 200_000
# libyaml composes recursively; the deepest setting stands at level 5.
_MAX_DEPTH = 50


@dataclass(frozen=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """One problem of the text itself, at the value that `keys` names."""

    keys: Keys
    place: Place
    message: str


@dataclass
class Tree:
    """Plain data (str, int, float, bool, None, list, dict with text keys) and the places in the text.

    `values` has the place of each value, `keys` of each mapping key, `expanded` the values that held
    a `${VAR}`, `lost` those that could not be read (None in the data). `broken` says that the text is
    no YAML, or beyond all limits; data is then None. `text` is what was read.
    """

    data: Any = None
    values: dict[Keys, Place] = field(default_factory=dict)
    keys: dict[Keys, Place] = field(default_factory=dict)
    expanded: set[Keys] = field(default_factory=set)
    lost: set[Keys] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    broken: bool = False
    text: str = field(default="", repr=False)

    def place(self, keys: Keys) -> Place:
        """Return the place of the value, or of the nearest one around it."""
        while keys and keys not in self.values:
            keys = keys[:-1]
        return self.values.get(keys, Place(1, 1))


class _LimitError(Exception):
    """The document is too large or too deep to be a configuration."""

    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.place = _place(mark)


def read_tree(text: str, expand: Callable[[str], str] | None = None, *, max_nodes: int = MAX_NODES) -> Tree:
    """Read one YAML document. Raises nothing: what is wrong is in `faults`.

    `expand` is applied to every text value and raises ValueError on one that it cannot expand.
    `max_nodes` is how many values the document may have, aliases written out.
    """
    tree = Tree(text=text)
    try:
        _refuse_depth(text)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        if node is not None:
            tree.data = _Reader(tree, expand, max_nodes).read(node, ())
    except (yaml.YAMLError, UnicodeError) as error:
        return Tree(faults=[_syntax_fault(error)], broken=True)
    except _LimitError as error:
        return Tree(faults=[Fault((), error.place, str(error))], broken=True)
    return tree


def _refuse_depth(text: str) -> None:
    """Count depth on the flat stream of events: composing a deep text overflows the C stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _LimitError(event.start_mark, f"is nested deeper than {_MAX_DEPTH} levels; flatten it")


def _place(mark: Any) -> Place:
    """Any: the marks of libyaml and of PyYAML share their attributes and no class."""
    return Place(mark.line + 1, mark.column + 1)


def _syntax_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    # The problem alone: str(error) quotes the text, which may hold a password.
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    remedy = "check indentation and quotes; within braces or brackets ${VAR} needs quotes around it"
    if "cannot start any token" in what:
        remedy = "indent with spaces, not with tabs; quote text that begins with @, ` or %"
    if "another document" in what:
        what, remedy = "it goes on after ---", "write one document a file"
    return Fault((), _place(mark) if mark else Place(1, 1), f"is not YAML: {what}; {remedy}")


class _Reader:
    """Turns composed nodes into data; one per document, since it counts nodes."""

    def __init__(self, tree: Tree, expand: Callable[[str], str] | None, max_nodes: int) -> None:
        self._tree = tree
        self._max_nodes = max_nodes
        self._expand = expand
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, keys: Keys) -> Any:
        """Return the data of a node and note where it stands."""
        self._count += 1
        # An alias inside its own anchor is endless: the depth ends it.
        if self._count > self._max_nodes or len(keys) > _MAX_DEPTH:
            raise _LimitError(node.start_mark, "is too large, or an alias contains itself; write it out")
        self._tree.values[keys] = _place(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, keys)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*keys, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, keys)

    def _mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._fault(keys, key, "has a key that is not plain text; keys are words")
            elif key.value == "<<":
                self._fault(keys, key, "merge keys (<<) are not known; repeat the keys, or use an alias")
            elif key.value in data:
                first = self._tree.keys[*keys, key.value].line
                self._fault((*keys, key.value), key, f"key {key.value!r} repeats line {first}; remove one")
            else:
                self._tree.keys[*keys, key.value] = _place(key.start_mark)
                data[key.value] = self.read(value, (*keys, key.value))
        return data

    def _scalar(self, node: yaml.Node, keys: Keys) -> Any:
        kind = node.tag.removeprefix(_TAG)
        try:
            if kind in {"int", "float", "bool", "null"}:
                return getattr(self._scalars, f"construct_yaml_{kind}")(node)
            # A date is text here; settings have none.
            if kind in {"str", "timestamp", "value", "merge"}:
                return self._text(node.value, keys)
        except (ValueError, LookupError) as error:
            # LookupError: `!!bool maybe` and `!!int`. All may name the value, and an expansion may have
            # taken that from a secret.
            told = isinstance(error, ValueError) and kind == "str"
            message = str(error) if told else f"is no {kind}; put the value in quotes if it is text"
            return self._lost(keys, node, message)
        return self._lost(keys, node, "has a YAML tag that is not known; remove the tag")

    def _text(self, text: str, keys: Keys) -> str:
        if self._expand is None:
            return text
        if "${" in text:
            self._tree.expanded.add(keys)
        return self._expand(text)

    def _lost(self, keys: Keys, node: yaml.Node, message: str) -> None:
        self._tree.lost.add(keys)
        self._fault(keys, node, message)

    def _fault(self, keys: Keys, node: yaml.Node, message: str) -> None:
        self._tree.faults.append(Fault(keys, _place(node.start_mark), message))

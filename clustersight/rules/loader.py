"""Rule files to rules: all of them, or every problem of all of them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clustersight.problem import Problem, SettingsError
from clustersight.rules import check, drafts, files
from clustersight.rules.drafts import Draft
from clustersight.rules.places import Document
from clustersight.rules.rule import Rule
from clustersight.yaml_file import faults_of, read_mapping

# 10 000 rules have 300 000 values; aliases of aliases would reach 10^9 in ten lines.
MAX_NODES = 2_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """The rules of files in their order, what is wrong with them, and the files.

    With a problem the rules are those that could be read: to be looked at, not to be evaluated. `drafts`
    are the same rules with their places, for lint; they hold the text of all files.
    """

    rules: tuple[Rule, ...] = ()
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    drafts: tuple[Draft, ...] = field(default=(), repr=False)


def load(paths: Sequence[Path], known: Iterable[Rule] = ()) -> Loaded:
    """Read and check the rules of files and folders. Raises nothing.

    `known` are rules from elsewhere (the built-in pack): `raises` and `inhibited_by` may name them, and a
    rule of the same name replaces one.
    """
    with _no_collections():
        found, problems = files.find(paths)
        read = [drafts.Drafts()]
        documents: list[Document] = []
        for path in found:
            document, one = _read(path, problems)
            documents += document
            read.append(one)
        every = [draft for one in read for draft in one.rules]
        check.check(every, [name for one in read for name in one.names], {one.name: one for one in known})
        problems += [problem for document in documents for problem in document.problems]
        rules = tuple(draft.rule for draft in every)
        return Loaded(rules, SettingsError(problems).problems, found, tuple(every))


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Without garbage collection: it would take two thirds of the time to find no garbage in what is new."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(path: Path, problems: list[Problem]) -> tuple[list[Document], drafts.Drafts]:
    try:
        tree = read_mapping(path, max_nodes=MAX_NODES)
    except SettingsError as error:
        problems += error.problems
        return [], drafts.Drafts()
    document = Document(str(path), tree, faults_of(tree, str(path)))
    return [document], drafts.read(document)

"""Rule files to rules: all of them, or every problem of all of them."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        documents = [document for path in found for document in _read(path, path in paths, problems)]
        read = [drafts.read(document) for document in documents]
        every = [draft for one in read for draft in one.rules]
        check.check(every, [name for one in read for name in one.names], {one.name: one for one in known})
        problems += [problem for document in documents for problem in document.problems]
        rules = tuple(draft.rule for draft in every)
        problems += _without_rules(paths, documents) if not problems else []
        read_files = tuple(Path(document.source) for document in documents)
        return Loaded(rules, SettingsError(problems).problems, read_files, tuple(every))


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


def is_test(data: Mapping[str, Any]) -> bool:
    """Whether the top of a file is that of tests of rules, which may lie beside the rules."""
    return "tests" in data and not {"groups", "rules"} & data.keys()


def _read(path: Path, named: bool, problems: list[Problem]) -> Iterator[Document]:
    """The file as a document; none for tests in a folder, nor for what cannot be read at all."""
    try:
        tree = read_mapping(path, max_nodes=MAX_NODES)
    except SettingsError as error:
        problems += error.problems
        return
    if not is_test(tree.data):
        yield Document(str(path), tree, faults_of(tree, str(path)))
    elif named:
        problems.append(Problem(str(path), "holds tests of rules; clustersight rules test runs them", 1, 1))


def _without_rules(paths: Sequence[Path], documents: Sequence[Document]) -> Iterator[Problem]:
    """Folders in which there is nothing but tests: as bad as an empty one."""
    folders = {folder for document in documents for folder in Path(document.source).parents}
    for path in paths:
        if path.is_dir() and path not in folders:
            yield Problem(str(path), "is a folder without a rule file, only with tests of rules")

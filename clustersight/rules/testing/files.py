"""Test files: which there are, their rules, and every problem of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clustersight.problem import Problem, SettingsError
from clustersight.rules import files as rule_files
from clustersight.rules.loader import MAX_NODES, is_test, load
from clustersight.rules.pack import built_in
from clustersight.rules.places import Document, Spot
from clustersight.rules.relations import Names
from clustersight.rules.rule import Rule
from clustersight.rules.testing import reader
from clustersight.rules.testing.cases import TestFile
from clustersight.rules.testing.feeding import feed
from clustersight.yaml_file import faults_of, read_mapping

# In rule_files: the rules that ship with us.
BUILT_IN = "builtin"


@dataclass(frozen=True, slots=True)
class Tests:
    """A test file with the rules that it tests."""

    file: TestFile
    rules: tuple[Rule, ...]


@dataclass(slots=True)
class Found:
    """`rules` are those of given folders, which tests should cover; `problems` refuse everything."""

    tests: list[Tests] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def find(paths: Sequence[Path]) -> Found:
    """The tests of files and of all test files below folders. Raises nothing."""
    found = Found()
    files, problems = rule_files.find(paths)
    found.problems += problems
    pack = built_in().rules
    for path in files:
        _read(path, path in paths, pack, found)
    for folder in (path for path in paths if path.is_dir()):
        loaded = load([folder], pack)
        found.problems += loaded.problems
        found.rules += loaded.rules
    if not found.tests and not found.problems:
        found.problems.append(Problem(str(paths[0]), "holds no test file: a YAML file with tests:"))
    found.problems = list(SettingsError(found.problems).problems)
    return found


def _read(path: Path, named: bool, pack: Sequence[Rule], found: Found) -> None:
    try:
        tree = read_mapping(path, max_nodes=MAX_NODES)
    except SettingsError as error:
        found.problems += error.problems
        return
    if not named and not is_test(tree.data):
        return
    document = Document(str(path), tree, faults_of(tree, str(path)))
    file = reader.read(document)
    rules = tuple(_rules(file, pack, found.problems))
    _link(file, rules)
    found.problems += document.problems
    found.tests.append(Tests(file, rules))


def _rules(file: TestFile, pack: Sequence[Rule], problems: list[Problem]) -> Iterable[Rule]:
    """The rules that a file names, one in a file instead of the built-in one of its name."""
    paths: dict[Path, None] = {}
    with_pack = not file.rule_files
    for pattern, spot in file.rule_files:
        if pattern == BUILT_IN:
            with_pack = True
        else:
            paths |= dict.fromkeys(_matching(file.path.parent, pattern, spot))
    loaded = load(list(paths), pack) if paths else None
    if loaded is None:
        return pack if with_pack else ()
    problems += loaded.problems
    names = {rule.name for rule in loaded.rules}
    return [*(rule for rule in pack if with_pack and rule.name not in names), *loaded.rules]


def _matching(folder: Path, pattern: str, spot: Spot) -> list[Path]:
    try:
        # A plain name may hold `..`, which Path.glob takes too; an absolute pattern it refuses.
        absolute = Path(pattern).is_absolute()
        found = sorted(Path("/").glob(pattern.lstrip("/")) if absolute else folder.glob(pattern))
    except (ValueError, NotImplementedError):
        found = []
    if not found:
        spot.wrong(f"{pattern!r} is no file beside this one, and no pattern of any")
    return found


def _link(file: TestFile, rules: Sequence[Rule]) -> None:
    """Note what a test says of rules and metrics that there are not."""
    sql = {rule.name for rule in rules if rule.sql is not None}
    names = Names({name for rule in rules for name in (rule.name, rule.identity)})
    for case in file.cases:
        for one in case.series:
            list(feed(one, sql))
        for name, spot in case.named():
            _require(name, names, spot)


def _require(name: str, names: Names, spot: Spot) -> None:
    if name in names:
        return
    key = next((key for key in ("alertname", "acknowledge", "snooze") if _has(spot, key)), "alertname")
    spot.at(key).wrong(names.unknown(name))


def _has(spot: Spot, key: str) -> bool:
    return (*spot.keys, key) in spot.document.tree.keys

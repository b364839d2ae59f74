"""The rules of the built-in pack and of the configured folders, taken over as a whole or not at all."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clustersight.logs import event
from clustersight.problem import Problem, SettingsError
from clustersight.rules import loader, pack
from clustersight.rules.definition import definition_of, rule_of
from clustersight.rules.rule import Rule
from clustersight.settings.model import RulesSettings
from clustersight.store import rules as stored_rules
from clustersight.store.database import Connection, Database
from clustersight.store.rule_sync import Provisioned, clash, sync
from clustersight.store.rules import RuleType, StoredRule

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What files say; `hash` tells two sets apart, wherever their files lie."""

    rules: tuple[Provisioned, ...]
    hash: str


def read(settings: RulesSettings) -> RuleSet:
    """All files. A rule of a file stands for the built-in one of its name. Raises SettingsError with all."""
    built_in = pack.built_in().rules if settings.builtin else ()
    paths: Sequence[Path] = settings.paths
    loaded = loader.load(paths, known=built_in) if paths else loader.Loaded((), (), ())
    if loaded.problems:
        raise SettingsError(loaded.problems)
    own = {rule.name for rule in loaded.rules}
    everything = [
        *(_provisioned(rule, RuleType.BUILT_IN) for rule in built_in if rule.name not in own),
        *(_provisioned(rule, RuleType.FILE) for rule in loaded.rules),
    ]
    return RuleSet(tuple(everything), hash_of((one.name, one.definition) for one in everything))


def _provisioned(rule: Rule, rule_type: RuleType) -> Provisioned:
    origin = rule.origin if rule_type is RuleType.FILE else ""
    return Provisioned(rule.name, rule_type, origin, definition_of(rule), rule.enabled)


def hash_of(definitions: Iterable[tuple[str, object]]) -> str:
    """Of names and definitions, in no order."""
    text = json.dumps(sorted((name, json.dumps(what, sort_keys=True)) for name, what in definitions))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def store(db: Connection, found: RuleSet, now: float) -> int:
    """Make them the store's; returns how many differ. Raises Conflict and StoreError."""
    return sync(db, found.rules, now)


def conflicts(db: Connection, found: RuleSet) -> list[Problem]:
    """Which of these have the name of a rule that was made over the API."""
    return [Problem("rules", line) for line in clash(db, found.rules).splitlines()]


def has_any(database: Database) -> bool:
    """Whether the store has rules of files or of the pack: the last good ones. Raises StoreError."""
    with database.read() as db:
        return any(one.rule_type is not RuleType.CUSTOM for one in stored_rules.every(db))


@dataclass(frozen=True, slots=True)
class Stored:
    """The store's rules: `active` of all origins, by id; `hash` of pack and files, as `read` gives it."""

    mark: tuple[float, ...] = ()
    active: Mapping[str, Rule] = field(default_factory=dict)
    hash: str = ""


def stored(db: Connection, known: Stored) -> Stored:
    """The store's rules as they are; `known` again where none was written since. Raises StoreError."""
    mark = stored_rules.mark(db)
    if mark == known.mark:
        return known
    rules = stored_rules.every(db)
    files = ((one.name, one.definition) for one in rules if one.rule_type is not RuleType.CUSTOM)
    return Stored(mark, _active(rules), hash_of(files))


def _active(rules: Iterable[StoredRule]) -> dict[str, Rule]:
    """Those that are on; one that cannot be read is left out, and said."""
    found: dict[str, Rule] = {}
    for one in rules:
        if one.enabled:
            try:
                found[one.id] = rule_of(one)
            except (KeyError, TypeError, ValueError) as error:
                what = "a stored rule cannot be read; enter it anew over the API"
                event(log, logging.ERROR, what, rule=one.name, error=repr(error))
    return found

"""At how many parts a table slows inserts down or refuses them: of the server, or the table's own.

Sources: system.merge_tree_settings, system.replicated_merge_tree_settings (20.x+), and the SETTINGS
in system.tables.engine_full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from clustersight.clickhouse.errors import AccessDenied
from clustersight.panels.local_tables import restricted
from clustersight.panels.panel import Context

THROW = "parts_to_throw_insert"
DELAY = "parts_to_delay_insert"
TOTAL = "max_parts_in_total"
LARGE = "max_avg_part_size_for_too_many_parts"
NAMES = (THROW, DELAY, TOTAL, LARGE)

SQL_SERVER = """
SELECT name, value FROM system.merge_tree_settings WHERE name IN %(names)s ORDER BY name LIMIT 10
"""
SQL_REPLICATED = """
SELECT name, value FROM system.replicated_merge_tree_settings WHERE name IN %(names)s ORDER BY name LIMIT 10
"""
# 300 ms for 5000 tables, so it is asked hourly and when a table was made or altered.
SQL_OWN = restricted("""
SELECT database, name AS table, engine_full
FROM system.tables
WHERE engine LIKE '%%MergeTree' AND {local}
    AND match(engine_full,
        '\\\\bSETTINGS\\\\b.*\\\\b(parts_to_(throw|delay)_insert|max_parts_in_total|max_avg_part_size)')
ORDER BY database, table
LIMIT %(most)s
""")
MOST_OWN = 20_000

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one table; None is a version that has no such limit.

    `delay` 0 is no delay; with `throw` or `total` 0 the server refuses every insert (tried on 26.9).
    `large_bytes`: a partition of parts that are larger on average has no limits; 0 and None: all have.
    """

    throw: int | None
    delay: int | None
    total: int | None
    large_bytes: int | None

    @property
    def lowest(self) -> int | None:
        """The first of them that a growing table meets; None if there is none."""
        refusing = [max(1, limit) for limit in (self.throw, self.total) if limit is not None]
        return min([*refusing, *([self.delay] if self.delay else [])], default=None)


@dataclass(frozen=True, slots=True)
class AllLimits:
    """The limits of every table of a server: defaults by family, and the tables' own settings."""

    plain: Mapping[str, int]
    replicated: Mapping[str, int]
    own: Mapping[Name, Mapping[str, int]] = field(default_factory=dict)

    def of(self, table: Name, *, replicated: bool) -> Limits:
        return self._limits(self.replicated if replicated else self.plain, self.own.get(table, {}))

    def defaults(self) -> tuple[Limits, Limits]:
        return self._limits(self.plain, {}), self._limits(self.replicated, {})

    def own_lowest(self) -> Iterator[tuple[Name, int]]:
        """Tables with settings of their own, and the first of their limits."""
        for table in self.own:
            both = (self.of(table, replicated=kind).lowest for kind in (False, True))
            found = min((limit for limit in both if limit is not None), default=None)
            if found is not None:
                yield table, found

    @staticmethod
    def _limits(defaults: Mapping[str, int], own: Mapping[str, int]) -> Limits:
        # What the server does not list it does not know, whatever a table's SETTINGS say.
        return Limits(*(own.get(name, defaults[name]) if name in defaults else None for name in NAMES))


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Table:
    database: str
    table: str
    engine_full: str


def read(context: Context) -> AllLimits:
    """Ask for all of them. Raises ClickHouseError."""
    plain = _numbers(context.rows(SQL_SERVER, Setting, names=NAMES))
    tables = context.rows(SQL_OWN, Table, most=MOST_OWN)
    return AllLimits(
        plain=plain,
        replicated=_replicated(context) or plain,
        own={(table.database, table.table): own_settings(table.engine_full) for table in tables},
    )


def _replicated(context: Context) -> dict[str, int]:
    if not context.has("replicated_merge_tree_settings"):
        return {}
    try:
        return _numbers(context.rows(SQL_REPLICATED, Setting, names=NAMES))
    except AccessDenied:
        return {}  # the two differ only where someone configured them apart


def _numbers(settings: Iterable[Setting]) -> dict[str, int]:
    values = {setting.name: number(setting.value) for setting in settings}
    return {name: value for name, value in values.items() if value is not None}


# Quoted text first: a column or a string may look like a setting. Parentheses enclose expressions only.
_TOKEN = re.compile(
    r"""'(?:\\.|''|[^'\\])*' | `(?:\\.|``|[^`\\])*` | "(?:\\.|""|[^"\\])*" | [\w.+-]+ | \S""",
    re.VERBOSE | re.DOTALL,
)


def own_settings(engine_full: str) -> dict[str, int]:
    """The part limits in the SETTINGS of an engine, which is its last clause.

    >>> own_settings("MergeTree ORDER BY a SETTINGS parts_to_throw_insert = 60, index_granularity = 8192")
    {'parts_to_throw_insert': 60}
    """
    words = [found.group() for found in _TOKEN.finditer(engine_full)]
    clauses = [at for at, word in enumerate(words) if word == "SETTINGS"]
    settings = words[clauses[-1] + 1 :] if clauses else []
    found = {
        name: number(value.strip("'"))
        for name, equals, value in zip(settings, settings[1:], settings[2:], strict=False)
        if name in NAMES and equals == "="
    }
    return {name: value for name, value in found.items() if value is not None}


_SUFFIX = {"": 1} | {
    letter + i: base**power
    for i, base in (("", 1000), ("i", 1024))
    for power, letter in enumerate("KMGTP", start=1)
}
_NUMBER = re.compile(r"([0-9]+)\.?([KMGTP]?i?)", re.IGNORECASE)


def number(text: str) -> int | None:
    """A whole number as settings are written: 60, 60. and 1Gi; None for anything else."""
    found = _NUMBER.fullmatch(text)
    suffix = found[2].capitalize() if found else ""
    return int(found[1]) * _SUFFIX[suffix] if found and suffix in _SUFFIX else None

"""The SQL that makes our user on a server, and what that user still lacks. Nothing here connects.

Sources: facts/clickhouse-facts.md section 5, tried on 26.9. Users are SQL from 20.4 on, XML before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.sql import ident, literal

PROFILE = "clustersight"
SQL_USERS_SINCE = (20, 4)
CHECK_GRANT_SINCE = (24, 10)
# Everyone may read these.
FREE = frozenset({"tables", "columns", "databases", "one"})
# Keeper's tree holds the password hashes of replicated users and named collections: not for a monitor.
UNWISE = frozenset({"zookeeper"})
# What is read beside the panels: capabilities, topology, the guard of Keeper queries.
OWN_TABLES = ("clusters", "metrics", "processes", "settings")
# What a table lets its reader see, where that is more than numbers.
PRICES: Mapping[str, str] = {
    "query_log": "the texts of queries hold literals",
    "distributed_ddl_queue": "the DDL texts of all users",
}
# A server refuses this as a hash, so that nobody gets an account with a password that everyone knows.
PLACEHOLDER = "<SHA-256 OF THE PASSWORD>"
HASH_HINT = "printf %s 'the password' | sha256sum | cut -c1-64"

# (name, value and constraint, since which version); what the limits are for: facts section 5.
_SETTINGS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("readonly", "2", (20, 4)),
    ("max_execution_time", "10 MIN 1 MAX 60", (20, 4)),
    ("max_threads", "2 MIN 1 MAX 4", (20, 4)),
    ("max_memory_usage", "1000000000 MAX 4000000000", (20, 4)),
    ("max_result_rows", "200000", (20, 4)),
    ("result_overflow_mode", "'throw'", (20, 4)),
    ("max_concurrent_queries_for_user", "10", (20, 4)),
    ("cancel_http_readonly_queries_on_client_close", "1", (20, 4)),
    ("log_queries_min_type", "'EXCEPTION_WHILE_PROCESSING'", (20, 5)),
)
# 18.16 knows no constraints; with readonly = 2 our own limits are taken as they are.
_XML = """\
<!-- /etc/clickhouse-server/users.d/clustersight.xml: before 20.4 users are XML and there are no GRANTs. -->
<!-- {hint} -->
<yandex>
    <profiles>
        <{profile}>
            <readonly>2</readonly>
            <max_execution_time>10</max_execution_time>
            <max_threads>2</max_threads>
            <max_memory_usage>1000000000</max_memory_usage>
            <max_result_rows>200000</max_result_rows>
            <result_overflow_mode>throw</result_overflow_mode>
            <max_concurrent_queries_for_user>10</max_concurrent_queries_for_user>
        </{profile}>
    </profiles>
    <users>
        <{user}>
            <password_sha256_hex>{placeholder}</password_sha256_hex>
            <networks><ip>::/0</ip></networks>
            <profile>{profile}</profile>
            <quota>default</quota>
        </{user}>
    </users>
</yandex>
"""
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# ClickHouse: "… it's necessary to have the grant SELECT(a, b) ON system.parts."
_DENIED_TABLE = re.compile(r"\bON system\.`?(\w+)`?")


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege or several on one target: `SELECT` on `system.parts`."""

    privileges: str
    target: str
    price: str = ""

    @property
    def check(self) -> str:
        """The statement that answers 1 where our user has it (24.10+)."""
        return f"CHECK GRANT {self.privileges} ON {self.target}"

    @property
    def probe(self) -> str:
        """A statement that reads nothing: it tells a table that is denied (497) from none (60)."""
        return f"SELECT 1 FROM {self.target} LIMIT 0"  # noqa: S608 - names of our own tables

    def statement(self, user: str, on_cluster: str = "") -> str:
        """The SQL that gives it, on one line and without the semicolon."""
        place = f" ON CLUSTER {ident(on_cluster)}" if on_cluster else ""
        return f"GRANT{place} {self.privileges} ON {self.target} TO {ident(user)}"


# Without it the rows of nearly every panel are hidden, with no error (ClickHouse#35239).
SHOW = Grant("SHOW TABLES, SHOW DICTIONARIES", "*.*")


def select(table: str) -> Grant:
    """The right to read one system table."""
    return Grant("SELECT", f"system.{table}", PRICES.get(table, ""))


def needed(tables: Iterable[str], able: Capabilities | None) -> list[Grant]:
    """What our user needs to read these system tables; of a server that is known, only those it has."""
    wanted = sorted({*tables, *OWN_TABLES} - FREE - UNWISE)
    return [SHOW, *(select(table) for table in wanted if able is None or able.has(table))]


def denied(tables: Iterable[str], error: str) -> list[Grant]:
    """What is missing after ACCESS_DENIED on a statement that reads some of these tables."""
    if "ON *.*" in error:
        return [SHOW]
    wanted = set(tables) - FREE - UNWISE
    named = wanted.intersection(_DENIED_TABLE.findall(error))
    return [select(table) for table in sorted(named or wanted)]


def statements(grants: Iterable[Grant], user: str, on_cluster: str = "") -> list[str]:
    """One line of SQL each; a comment tells what a grant gives away beside numbers."""
    return [f"{grant.statement(user, on_cluster)};{_comment(grant.price)}" for grant in grants]


def account(user: str, version: tuple[int, ...] | None = None, on_cluster: str = "") -> list[str]:
    """CREATE SETTINGS PROFILE and CREATE USER with what this version knows (None: the newest)."""
    place = f" ON CLUSTER {ident(on_cluster)}" if on_cluster else ""
    settings = ", ".join(_settings(version))
    secret = f"IDENTIFIED WITH sha256_hash BY {literal(PLACEHOLDER)} HOST ANY"
    return [
        f"CREATE SETTINGS PROFILE IF NOT EXISTS {ident(PROFILE)}{place} SETTINGS {settings};",
        f"CREATE USER IF NOT EXISTS {ident(user)}{place} {secret} SETTINGS PROFILE {literal(PROFILE)};",
    ]


def users_xml(user: str) -> str:
    """The same for a server before 20.4. Raises ValueError for a name that cannot be an XML element."""
    if not _XML_NAME.fullmatch(user):
        raise ValueError(f"{user!r} cannot name a user before 20.4: letters, digits, _ and - only")
    return _XML.format(user=user, profile=PROFILE, placeholder="SHA-256 OF THE PASSWORD", hint=HASH_HINT)


def _settings(version: tuple[int, ...] | None) -> Iterator[str]:
    for name, value, since in _SETTINGS:
        if version is None or version >= since:
            yield f"{name} = {value}"


def _comment(price: str) -> str:
    return f"  -- {price}" if price else ""

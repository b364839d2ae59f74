"""What is done to a store as a whole: look it through, copy it, give its secrets another key."""

from __future__ import annotations

import contextlib
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Column, Connection, Table, func, inspect, select, text
from sqlalchemy.engine import URL

from clustersight.store import migrations
from clustersight.store.database import Database
from clustersight.store.errors import Conflict, Corrupt, StoreError, Unavailable, Undecryptable
from clustersight.store.faults import of_sqlite
from clustersight.store.schema import leases
from clustersight.store.secrets import SecretBox
from clustersight.store.sqlite_file import connect
from clustersight.store.tables import metadata
from clustersight.store.whole_file import whole_file

# The first faults tell what to do; a damaged file can have millions.
_MOST_FAULTS = 10
_OLDEST_POSTGRESQL = 15
_ENCRYPTED = "_encrypted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `problems` are lines for people."""

    what: str
    detail: str = ""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """`tables` has the number of rows of each; `place` no password."""

    place: str
    findings: tuple[Finding, ...]
    tables: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not any(finding.problems for finding in self.findings)


def check(database: Database, box: Callable[[], SecretBox]) -> Report:
    """Look the whole store through and change nothing; what fails is a finding, never an exception.

    `box` gives the key, and may raise StoreError.
    """
    opened = _found(database, "opens", _opens)
    if opened.problems:
        return Report(database.place, (opened,))
    looks = [("schema", _schema)]
    if database.is_sqlite:
        looks += [("integrity", _integrity), ("references", _references)]
    findings = [opened, *(_found(database, what, look) for what, look in looks)]
    findings.append(_found(database, "secrets", lambda db: _secrets(db, box)))
    tables: dict[str, int] = {}
    findings.append(_found(database, "tables", lambda db: _tables(db, tables)))
    return Report(database.place, tuple(findings), tables)


def _found(database: Database, what: str, look: Callable[[Connection], Finding]) -> Finding:
    try:
        with database.read(patient=True) as db:
            return look(db)
    except StoreError as error:
        return Finding(what, problems=(str(error),))


def _opens(db: Connection) -> Finding:
    if db.dialect.name == "sqlite":
        pages, size = (
            db.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("page_count", "page_size")
        )
        return Finding("opens", f"SQLite {sqlite3.sqlite_version}, {pages * size / 1e6:.1f} MB")
    version = str(db.execute(text("SHOW server_version")).scalar_one())
    old = int(version.partition(".")[0]) < _OLDEST_POSTGRESQL
    problem = f"PostgreSQL {version} is too old; ClusterSight needs {_OLDEST_POSTGRESQL} or newer"
    return Finding("opens", f"PostgreSQL {version}", (problem,) if old else ())


def _schema(db: Connection) -> Finding:
    found, newest = migrations.current(db), migrations.newest()
    if found is None:
        return Finding("schema", "none", ("it is empty; run `clustersight store migrate`",))
    migrations.refuse_newer(found, "it")
    if found != newest:
        older = f"it is at {found}, this release at {newest}; run `clustersight store migrate`"
        return Finding("schema", found, (older,))
    missing = [f"{name} is missing; restore a backup" for name in _missing(db)]
    return Finding("schema", found, tuple(missing))


def _missing(db: Connection) -> Iterator[str]:
    """Tables and columns that somebody dropped."""
    there = inspect(db)
    names = set(there.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in names:
            yield f"the table {table.name}"
            continue
        columns = {column["name"] for column in there.get_columns(table.name)}
        yield from (f"the column {c.name} of {table.name}" for c in table.columns if c.name not in columns)


def _integrity(db: Connection) -> Finding:
    rows = db.execute(text(f"PRAGMA integrity_check({_MOST_FAULTS})")).scalars()
    # The text of a fault may have several lines.
    faults = [" ".join(str(row).split()) for row in rows if row != "ok"]
    problems = tuple(f"{fault}; restore a backup" for fault in faults)
    return Finding("integrity", "" if faults else "no damage", problems)


def _references(db: Connection) -> Finding:
    rows = list(db.execute(text("PRAGMA foreign_key_check")).mappings())
    lost = dict.fromkeys(f"a row of {row['table']} belongs to none of {row['parent']}" for row in rows)
    return Finding("references", "" if lost else "each row has its owner", tuple(lost)[:_MOST_FAULTS])


def _tables(db: Connection, counts: dict[str, int]) -> Finding:
    names = set(inspect(db).get_table_names())
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        if table.name in names:
            counts[table.name] = db.execute(select(func.count()).select_from(table)).scalar_one()
    return Finding("tables", f"{len(counts)} with {sum(counts.values())} rows")


def _secrets(db: Connection, box: Callable[[], SecretBox]) -> Finding:
    tokens = list(_tokens(db))
    if not tokens:
        return Finding("secrets", "none")
    closed = _closed(tokens, box())
    detail = f"{len(tokens) - len(closed)} of {len(tokens)} can be decrypted"
    return Finding(
        "secrets", detail, tuple(f"{token} cannot be decrypted" for token in closed[:_MOST_FAULTS])
    )


@dataclass(frozen=True, slots=True)
class _Token:
    """One encrypted value and where it stands. Its text names the row, which is no secret."""

    column: Column[str]
    identity: tuple[object, ...]
    value: str = field(repr=False)

    @property
    def table(self) -> Table:
        return self.column.table

    def __str__(self) -> str:
        return f"{self.column.name} of {self.table.name} {'/'.join(map(str, self.identity))}"

    def put(self, db: Connection, value: str) -> None:
        keys = zip(self.table.primary_key, self.identity, strict=True)
        here = [column == key for column, key in keys]
        db.execute(self.table.update().where(*here).values({self.column.name: value}))


def _tokens(db: Connection) -> Iterator[_Token]:
    """Every encrypted value of the store."""
    names = set(inspect(db).get_table_names())
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name.endswith(_ENCRYPTED) and table.name in names:
                query = select(*table.primary_key, column).where(column.is_not(None))
                for *identity, value in db.execute(query.order_by(*table.primary_key)):
                    yield _Token(column, tuple(identity), value)


def _closed(tokens: list[_Token], box: SecretBox) -> list[_Token]:
    return [token for token in tokens if not _opens_with(token, box)]


def _opens_with(token: _Token, box: SecretBox) -> bool:
    try:
        box.decrypt(token.value)
    except Undecryptable:
        return False
    return True


def backup(database: Database, target: Path, *, replaces: bool) -> int:
    """Copy a SQLite store, at one moment, while others write; returns the size in bytes.

    The copy has mode 0600 and is read through before it gets its name. Raises StoreError; Conflict where
    there is a file of this name, or another kind of database.
    """
    if database.file is None:
        raise Conflict(f"{database.place} is PostgreSQL; back it up with: {pg_dump(database, target)}")
    try:
        if target.exists() and target.samefile(database.file):
            raise Conflict(f"{target} is the store itself; name another file")
        if target.exists() and not replaces:
            raise Conflict(f"{target} is there already; --force replaces it")
        with whole_file(target, replaces=True) as unfinished:
            _copy(database.file, unfinished, database.place)
        return target.stat().st_size
    except OSError as error:
        raise Unavailable(f"the backup {target} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        kind, reason = of_sqlite(error)
        raise kind(f"the backup {target} of {database.place} failed: {reason}") from None


def _copy(source: Path, target: Path, place: str) -> None:
    with contextlib.closing(connect(source)) as original, contextlib.closing(sqlite3.connect(target)) as copy:
        # In one go: it holds up nobody, since in WAL mode a reader does not; in pieces it would begin
        # again with every write of another process.
        original.backup(copy)
        faults = [row[0] for row in copy.execute("PRAGMA quick_check(1)")]
    if faults != ["ok"]:
        raise Corrupt(f"the store {place} is damaged; `clustersight store check` says how")


def pg_dump(database: Database, target: Path) -> str:
    """The command line that backs a PostgreSQL store up; it asks for the password."""
    full = database.url
    # A new one, since set(password=None) keeps the password, and a hidden one is "***", which is wrong.
    url = URL.create("postgresql", full.username, None, full.host, full.port, full.database)
    arguments = ["pg_dump", "--format=custom", f"--file={target}", url.render_as_string()]
    return shlex.join(arguments)


def rekey(database: Database, old: SecretBox, new: SecretBox, now: float, *, dry_run: bool = False) -> int:
    """Encrypt every secret with another key, all or none; returns how many there are.

    Raises Conflict while a process works on the store (`now` in epoch seconds), Undecryptable with the
    names of what the old key does not open.
    """
    with database.begin(patient=True) as db:
        _refuse_working(db, database.place, now)
        _lock(db)
        tokens = list(_tokens(db))
        _refuse_closed(tokens, old, new)
        for token in () if dry_run else tokens:
            token.put(db, new.encrypt(old.decrypt(token.value)))
    return len(tokens)


def _refuse_working(db: Connection, place: str, now: float) -> None:
    # One that reaches further was given by a clock that was wrong.
    held = leases.c.expires_at.between(now, now + 3600)
    query = select(leases.c.name, leases.c.holder).where(held)
    for name, holder in db.execute(query.order_by(leases.c.name)):
        raise Conflict(
            f"the {name} {holder} works on {place} with the old key; stop it, and the API, and try again"
        )


def _lock(db: Connection) -> None:
    # On SQLite the transaction itself keeps others from writing.
    if db.dialect.name != "sqlite":
        names = [
            t.name for t in metadata.sorted_tables if any(c.name.endswith(_ENCRYPTED) for c in t.columns)
        ]
        db.execute(text(f"LOCK TABLE {', '.join(names)} IN SHARE ROW EXCLUSIVE MODE"))


def _refuse_closed(tokens: list[_Token], old: SecretBox, new: SecretBox) -> None:
    closed = _closed(tokens, old)
    if not closed:
        return
    if not _closed(tokens, new):
        raise Undecryptable("every secret is under the new key already; start with that key")
    names = ", ".join(map(str, closed[:_MOST_FAULTS]))
    raise Undecryptable(
        f"{len(closed)} of {len(tokens)} secrets cannot be decrypted with the present key: {names};"
        " nothing was changed; enter them anew, or remove them, and try again"
    )

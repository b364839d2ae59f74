"""PostgreSQL of Debian: a server of its own in a temporary folder, with as many databases as tests want."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from tests.servers.process import (
    START_SECONDS,
    MissingPackage,
    ServerProcess,
    connects,
    free_port,
    program,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSIONS = Path("/usr/lib/postgresql")
# PostgreSQL refuses to run as root; Debian's package makes this user.
USER = "postgres"
# Whom the store connects as: no superuser, as it should be. The password needs quoting in a URL.
ROLE = "clustersight"
PASSWORD = "s3cret/of:the@store"
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # A socket in /var/run/postgresql would need rights that we may not have.
    "unix_socket_directories": "",
    # What the kernel was given survives every kill of these tests; only a loss of power would not.
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "log_min_messages": "warning",
}


class PostgreSQL(ServerProcess):
    """One cluster; sorts as most do (en-US), not as SQLite does. `remove()` deletes its data at the end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        # Not below `folder`: pytest's folders let nobody but their owner in, and the server is another user.
        self._home = tempfile.TemporaryDirectory(prefix="clustersight-postgresql-")

    @property
    def data(self) -> Path:
        return Path(self._home.name) / "data"

    def command(self) -> Sequence[str]:
        if not self.data.exists():
            self._initialize()
        settings = SETTINGS | {"port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*as_user(), installed("postgres"), "-D", str(self.data), *options]

    def _initialize(self) -> None:
        password = Path(self._home.name) / "password"
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (password, password.parent):
                os.chown(path, *ids())
        with (self.folder / "initdb.log").open("wb") as log:
            subprocess.run(
                [
                    *(*as_user(), installed("initdb"), "--pgdata", str(self.data), "--no-sync"),
                    *("--username", SUPERUSER, "--pwfile", str(password), "--auth", "scram-sha-256"),
                    *("--encoding", "UTF8", "--locale", "C.UTF-8"),
                    *("--locale-provider", "icu", "--icu-locale", "en-US"),
                ],
                cwd=self._home.name,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=START_SECONDS,
            )

    def ready(self) -> bool:
        """Whether it answers; the role is made at the first time."""
        if not connects(self.port):
            return False
        if not self.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
            statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
            self.execute(statement.format(sql.Identifier(ROLE), sql.Literal(PASSWORD)))
        return True

    def execute(self, statement: Any, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as superuser, outside of a transaction, and return its rows."""
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=PASSWORD,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def database(self, name: str, *, template: str = "template1") -> str:
        """Make a new database that belongs to the role, empty or a copy, and return its URL for `store.url`.

        Nobody may be connected to the `template` meanwhile.
        """
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}")
        self.execute(statement.format(*map(sql.Identifier, (name, ROLE, template))))
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, also when somebody is connected."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str, *, user: str = ROLE, password: str = PASSWORD) -> str:
        """A URL for `store.url`, whether there is such a database or not."""
        return URL.create(
            "postgresql+psycopg", user, password, host="127.0.0.1", port=self.port, database=name
        ).render_as_string(hide_password=False)

    def kill(self) -> None:
        """End it and its children with SIGKILL, and wait: while one lives, the next start is refused."""
        children = self._children()
        super().kill()
        wait_until(lambda: not any(map(is_alive, children)), START_SECONDS, f"{self} has no children left")

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        self._home.cleanup()

    def _signal(self, number: int) -> None:
        # A SIGTERM waits for the clients to go; SIGINT sends them away. Each child is a group of its own.
        if number == signal.SIGTERM:
            super()._signal(signal.SIGINT)
            return
        children = self._children()
        super()._signal(number)
        for child in children:
            if is_alive(child):
                os.kill(child, number)

    def _children(self) -> list[int]:
        if not self.is_running:
            return []
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]


def installed(name: str) -> str:
    """The path of a program of the newest version there is; raises MissingPackage."""
    versions = sorted(VERSIONS.glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not versions:
        raise MissingPackage(
            "PostgreSQL is missing: install the package postgresql with tests/install-servers.sh"
        )
    return str(versions[-1] / name)


def as_user() -> list[str]:
    """The beginning of a command line that runs the rest as a user that PostgreSQL accepts."""
    if os.geteuid() != 0:
        return []
    return [program("setpriv", "util-linux"), "--reuid", USER, "--regid", USER, "--clear-groups"]


def ids() -> tuple[int, int]:
    entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie, which holds nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

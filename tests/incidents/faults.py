"""Many faults of one real ClickHouse 26.9 at once, each made as it comes about in life."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import free_port, wait_until

DATABASE = "faults"
# Half of number_of_mutations_to_throw, at which the rule fires.
MANY_MUTATIONS = 500
CUSTOMER = "customer 555-1234"
ONE_AT_A_TIME = {"max_concurrent_queries_for_user": 1}


class Faulty:
    """`set_up` makes what stands there before anybody looks, `break_later` what breaks while watched."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self._nobody = free_port()

    def set_up(self) -> None:
        self.server.execute(f"CREATE DATABASE {DATABASE}")
        self._press()
        self._mutate()
        self._table("damaged", "min_bytes_for_wide_part = 0, min_bytes_for_full_part_storage = 0")
        self.server.execute(f"INSERT INTO {DATABASE}.damaged SELECT number FROM numbers(1000)")
        self._table("broken", "min_bytes_for_wide_part = 0, min_bytes_for_full_part_storage = 0")
        self.server.execute(f"INSERT INTO {DATABASE}.broken SELECT number FROM numbers(1000)")
        # 26.9 as an engine never ends starting a replica: it stays read-only, for no fault of ZooKeeper's.
        self.server.execute(
            f"CREATE TABLE {DATABASE}.readonly (n UInt64)"
            " ENGINE = ReplicatedMergeTree('/incidents/readonly', '1') ORDER BY n"
        )
        self._distribute()
        self._leave_alone()
        self._try(f"BACKUP DATABASE {DATABASE} TO File('/{CUSTOMER}')")

    def _table(self, name: str, settings: str) -> None:
        self.server.execute(
            f"CREATE TABLE {DATABASE}.{name} (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS {settings}"
        )

    def _press(self) -> None:
        """Tables that are nearly, or quite, at a limit of parts; none is merged."""
        self._table("full", "parts_to_delay_insert = 100, parts_to_throw_insert = 10")
        self._table(
            "slow", "parts_to_delay_insert = 10, parts_to_throw_insert = 1000, max_delay_to_insert = 1"
        )
        self.server.execute(
            f"CREATE TABLE {DATABASE}.scattered (n UInt64) ENGINE = MergeTree PARTITION BY n % 20 ORDER BY n"
            " SETTINGS max_parts_in_total = 20"
        )
        # Too much for merges, but far from any limit.
        self._table("tiny", "parts_to_delay_insert = 100000, parts_to_throw_insert = 100000")
        for name in ("full", "slow", "scattered", "tiny"):
            self.server.execute(f"SYSTEM STOP MERGES {DATABASE}.{name}")
        for _ in range(10):
            for name in ("full", "slow"):
                self.server.execute(f"INSERT INTO {DATABASE}.{name} VALUES (1)")
        self.server.execute(f"INSERT INTO {DATABASE}.scattered SELECT number FROM numbers(20)")

    def _distribute(self) -> None:
        """Sends that fail, are stopped, and find a damaged file; nobody listens where they go."""
        for name in ("unsent", "stopped", "spoiled"):
            self.server.execute(
                f"CREATE TABLE {DATABASE}.{name} (n UInt64)"
                " ENGINE = Distributed('default', 'none', 'none', n)"
            )
            self._try(
                f"INSERT INTO {DATABASE}.{name} VALUES (1)",
                distributed_foreground_insert=0,
                prefer_localhost_replica=0,
            )
        self.server.execute(f"SYSTEM STOP DISTRIBUTED SENDS {DATABASE}.stopped")
        sql = f"SELECT data_path FROM system.distribution_queue WHERE database = '{DATABASE}'"
        [[path]] = self.server.execute(f"{sql} AND table = 'spoiled'")
        next(Path(path).glob("*.bin")).write_bytes(b"garbage")
        # The engine sends only when it is told to.
        for name in ("unsent", "spoiled"):
            self._try(f"SYSTEM FLUSH DISTRIBUTED {DATABASE}.{name}")

    def _leave_alone(self) -> None:
        """What runs by itself and fails: a dictionary, a view, a consumer of a broker that is not there."""
        self.server.execute(
            f"CREATE DICTIONARY {DATABASE}.lost (id UInt64, v String) PRIMARY KEY id"
            f" SOURCE(CLICKHOUSE(DB '{DATABASE}' TABLE 'none')) LAYOUT(FLAT()) LIFETIME(300)"
        )
        self._try(f"SYSTEM RELOAD DICTIONARY {DATABASE}.lost")
        self.server.execute(
            f"CREATE MATERIALIZED VIEW {DATABASE}.throwing REFRESH EVERY 1 HOUR ENGINE = Memory"
            f" AS SELECT throwIf(1, '{CUSTOMER}') AS x"
        )
        # The engine makes the table, but says `Shutdown was called`, and would not start again with it.
        self._try(
            f"CREATE TABLE {DATABASE}.consumed (n UInt64)"
            f" ENGINE = Kafka('127.0.0.1:{self._nobody}', 'topic', 'group', 'JSONEachRow')"
        )
        self.server.execute(
            f"CREATE MATERIALIZED VIEW {DATABASE}.reader ENGINE = Memory AS SELECT n FROM {DATABASE}.consumed"
        )

    def _mutate(self) -> None:
        """One that fails for good, and more than anybody should send."""
        self.server.execute(
            f"CREATE TABLE {DATABASE}.failing (n UInt64, s String) ENGINE = MergeTree ORDER BY n"
        )
        self.server.execute(f"INSERT INTO {DATABASE}.failing VALUES (1, 'x')")
        self.server.execute(
            f"ALTER TABLE {DATABASE}.failing UPDATE s = toString(throwIf(n = 1, '{CUSTOMER}')) WHERE 1",
            mutations_sync=0,
        )
        self.server.execute(
            f"CREATE TABLE {DATABASE}.mutated (n UInt64, s String) ENGINE = MergeTree ORDER BY n"
            " SETTINGS number_of_mutations_to_delay = 0"
        )
        self.server.execute(f"INSERT INTO {DATABASE}.mutated VALUES (1, 'x')")
        self.server.execute(f"SYSTEM STOP MERGES {DATABASE}.mutated")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._one_mutation, range(MANY_MUTATIONS)))

    def _one_mutation(self, number: int) -> None:
        self.server.execute(
            f"ALTER TABLE {DATABASE}.mutated UPDATE s = '{number}' WHERE n = {number}", mutations_sync=0
        )

    def break_later(self) -> None:
        """Parts are damaged on the disk: one is found when its table is loaded, one when it is read."""
        (self._part("broken") / "columns.txt").write_text("garbage")
        self.server.execute(f"DETACH TABLE {DATABASE}.broken")
        self.server.execute(f"ATTACH TABLE {DATABASE}.broken")
        data = self._part("damaged") / "n.bin"
        content = bytearray(data.read_bytes())
        content[-1] ^= 0xFF
        data.write_bytes(content)

    def _part(self, table: str) -> Path:
        sql = f"SELECT path FROM system.parts WHERE database = '{DATABASE}' AND table = '{table}' AND active"
        [[path]] = self.server.execute(sql)
        return Path(path)

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Somebody works with it: inserts into full tables, reads what is damaged, asks for too much."""
        stopped = threading.Event()
        users = [
            threading.Thread(target=again, args=(stopped, 0.1, self._fail)),
            threading.Thread(target=again, args=(stopped, 0.5, self._insert_slowly)),
            threading.Thread(target=again, args=(stopped, 0.1, self._crowd)),
            threading.Thread(target=again, args=(stopped, 0.1, self._insert_alone)),
        ]
        for user in users:
            user.start()
        try:
            yield
        finally:
            stopped.set()
            for user in users:
                user.join()

    def _fail(self) -> None:
        for sql in (
            f"INSERT INTO {DATABASE}.full VALUES (1)",
            f"SELECT sum(n) FROM {DATABASE}.damaged",
            f"SELECT * FROM remote('127.0.0.1:{self._nobody}', system.one)",
        ):
            self._try(sql)
        self._try("SELECT groupArray(number) FROM numbers(10000000)", max_memory_usage=1_000_000)

    def _insert_slowly(self) -> None:
        self._try(f"INSERT INTO {DATABASE}.slow VALUES (1)")

    def _insert_alone(self) -> None:
        self._try(f"INSERT INTO {DATABASE}.tiny VALUES (1)")

    def _crowd(self) -> None:
        """Two queries at a time of a user who may have one."""
        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(self._try, "SELECT sleep(0.2)", **ONE_AT_A_TIME)

    def _try(self, sql: str, **settings: int) -> None:
        with contextlib.suppress(EmbeddedError):
            self.server.execute(sql, **settings)

    def mutation_exists(self) -> bool:
        sql = f"SELECT count() FROM system.mutations WHERE database = '{DATABASE}' AND table = 'failing'"
        return bool(self.server.execute(f"{sql} AND NOT is_done AND NOT is_killed") == [[1]])

    def wait_failing(self) -> None:
        """Until the mutation has failed once."""
        sql = (
            f"SELECT count() FROM system.mutations WHERE database = '{DATABASE}' AND latest_fail_reason != ''"
        )
        wait_until(lambda: self.server.execute(sql) == [[1]], 30, "the mutation fails")


def again(stopped: threading.Event, pause_seconds: float, work: Callable[[], None]) -> None:
    while not stopped.wait(pause_seconds):
        work()

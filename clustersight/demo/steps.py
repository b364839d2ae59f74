"""What the demo's workload asks ClickHouse, as data: the tables with their faults, then a routine.

Bounded: `events` is the only table that grows, and loses what is older than KEEP_SECONDS; see
MAX_EVENTS. Slowness is made by sleeping, which takes no CPU.
"""

from __future__ import annotations

from dataclasses import dataclass

EVENTS_PER_INSERT = 1000
INSERT_EVERY_SECONDS = 2.0
KEEP_SECONDS = 3600
PARTITION_SECONDS = 600
# A part goes as a whole once its last row is too old and the next merge for it is allowed.
DROP_EVERY_SECONDS = 60
# 2.1 million rows of about 20 bytes: some 40 MB, and as much again in parts that merges have replaced.
MAX_EVENTS = int(
    EVENTS_PER_INSERT * (KEEP_SECONDS + PARTITION_SECONDS + DROP_EVERY_SECONDS) / INSERT_EVERY_SECONDS
)

PRESSED_PARTS = 40
PRESSED_LIMIT = 50

BAD_ARGUMENTS = 36
NO_SUCH_TABLE = 60
TIMED_OUT = 159
OUT_OF_MEMORY = 241
THROWN = 395

# Known places on the disk, so that a file of the table can be damaged.
INVOICES = "0de30000-0000-4000-8000-000000000001"
RECEIPTS = "0de30000-0000-4000-8000-000000000002"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. `fails_with` is the error code that it is meant to end with; 0: it works.

    In the SQL, `{data}` is the folder of ClickHouse's data and `{run}` a text of this start alone.
    `pause_seconds` is the time between two runs of a step of the routine.
    """

    name: str
    sql: str
    fails_with: int = 0
    pause_seconds: float = 0.0


def _damaged(table: str, uuid: str) -> tuple[Step, ...]:
    """A table whose only part ClickHouse finds broken, and sets aside."""
    return (
        Step(
            f"create {table}",
            f"""CREATE TABLE demo.{table} UUID '{uuid}' (id UInt64) ENGINE = MergeTree ORDER BY id
            SETTINGS min_bytes_for_wide_part = 0""",
        ),
        Step(f"fill {table}", f"INSERT INTO demo.{table} SELECT number FROM numbers(1000)"),  # noqa: S608
        Step(
            f"damage {table}",
            f"""INSERT INTO FUNCTION file(
                '{{data}}/store/{uuid[:3]}/{uuid}/all_1_1_0/columns.txt', 'RawBLOB')
            SETTINGS engine_file_truncate_on_insert = 1
            SELECT 'damaged by the demo'""",
        ),
        Step(f"unload {table}", f"DETACH TABLE demo.{table}"),
        Step(f"load {table}", f"ATTACH TABLE demo.{table}"),
    )


# The database is made anew at every start: what a step left behind the last time is gone.
DROP = Step("drop database", "DROP DATABASE IF EXISTS demo SYNC")
SETUP: tuple[Step, ...] = (
    DROP,
    Step("create database", "CREATE DATABASE demo"),
    Step(
        "create events",
        f"""CREATE TABLE demo.events
        (at DateTime CODEC(Delta, ZSTD), customer UInt32, kind LowCardinality(String), amount Float64)
        ENGINE = MergeTree
        PARTITION BY toStartOfInterval(at, INTERVAL {PARTITION_SECONDS} SECOND) ORDER BY (kind, at)
        TTL at + INTERVAL {KEEP_SECONDS} SECOND
        SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = {DROP_EVERY_SECONDS},
            old_parts_lifetime = 60""",
    ),
    Step(
        "create prices",
        # Blocks of one row: sleepEachRow may sleep 3 s a block.
        """CREATE TABLE demo.prices (id UInt64, price Float64) ENGINE = MergeTree ORDER BY id
        SETTINGS merge_max_block_size = 1, index_granularity = 1, min_bytes_for_wide_part = 0,
            finished_mutations_to_keep = 5, old_parts_lifetime = 60""",
    ),
    Step("fill prices", "INSERT INTO demo.prices SELECT number, number FROM numbers(30)"),
    Step(
        "create pressed",
        f"""CREATE TABLE demo.pressed (id UInt64) ENGINE = MergeTree ORDER BY id
        SETTINGS parts_to_delay_insert = {PRESSED_LIMIT - 5}, parts_to_throw_insert = {PRESSED_LIMIT}""",
    ),
    Step("stop merges", "SYSTEM STOP MERGES demo.pressed"),
    Step(
        "press",
        f"""INSERT INTO demo.pressed SELECT number FROM numbers({PRESSED_PARTS})
        SETTINGS max_block_size = 1, max_insert_block_size = 1, min_insert_block_size_rows = 1,
            min_insert_block_size_bytes = 1, max_threads = 1, max_insert_threads = 1""",  # noqa: S608
    ),
    Step(
        "create customers",
        "CREATE TABLE demo.customers (id UInt64, name String) ENGINE = MergeTree ORDER BY id",
    ),
    Step("fill customers", "INSERT INTO demo.customers SELECT number, 'customer' FROM numbers(1000)"),
    Step("back up customers", "BACKUP TABLE demo.customers TO Null"),
    # Not below the folder that is allowed.
    Step("fail a backup", "BACKUP TABLE demo.customers TO File('/demo')", fails_with=BAD_ARGUMENTS),
    Step(
        "fail a mutation",
        # The retries become rarer, up to one in 5 minutes (max_postpone_time_for_failed_mutations_ms).
        """ALTER TABLE demo.customers
        UPDATE name = toString(throwIf(id = 500, 'demo: customer 500 cannot be rewritten')) WHERE 1
        SETTINGS mutations_sync = 0""",
    ),
    Step(
        "create archive",
        """CREATE TABLE demo.archive (day Date, amount Float64) ENGINE = MergeTree
        PARTITION BY day ORDER BY amount""",
    ),
    Step("fill archive", "INSERT INTO demo.archive SELECT '2026-01-01', number FROM numbers(1000)"),
    Step("detach a part", "ALTER TABLE demo.archive DETACH PARTITION '2026-01-01'"),
    *_damaged("invoices", INVOICES),
    Step(
        "create exchange_rates",
        """CREATE DICTIONARY demo.exchange_rates (id UInt64, rate Float64) PRIMARY KEY id
        SOURCE(CLICKHOUSE(DB 'demo' TABLE 'no_such_rates')) LAYOUT(FLAT()) LIFETIME(300)""",
    ),
    Step("load exchange_rates", "SYSTEM RELOAD DICTIONARY demo.exchange_rates", fails_with=NO_SUCH_TABLE),
    Step(
        "create daily_sales",
        # Three tries within seconds, then none for an hour.
        """CREATE MATERIALIZED VIEW demo.daily_sales REFRESH EVERY 1 HOUR ENGINE = Memory
        AS SELECT throwIf(count() > 0, 'demo: no sales without prices') AS sales FROM demo.customers""",
    ),
    Step(
        "create events_everywhere",
        """CREATE TABLE demo.events_everywhere (id UInt64)
        ENGINE = Distributed('default', 'demo', 'customers', id)""",
    ),
    Step("stop the sends", "SYSTEM STOP DISTRIBUTED SENDS demo.events_everywhere"),
    Step(
        "insert without a send",
        """INSERT INTO demo.events_everywhere
        SETTINGS distributed_foreground_insert = 0, prefer_localhost_replica = 0 VALUES (1)""",
    ),
)

# What is broken before anybody looks is no news: an alert is of what breaks after the first collection.
LATER: tuple[Step, ...] = _damaged("receipts", RECEIPTS)

# The embedded engine never finishes to start a replica: both stay read-only, as after a lost Keeper.
# A path of its own for each start, since a demo that was killed leaves its replicas in ZooKeeper.
REPLICATED: tuple[Step, ...] = tuple(
    Step(
        f"create orders_{replica}",
        f"""CREATE TABLE demo.orders_{replica} (id UInt64)
        ENGINE = ReplicatedMergeTree('/clustersight-demo/{{run}}/orders', '{replica}') ORDER BY id""",
    )
    for replica in ("one", "two")
)

ROUTINE: tuple[Step, ...] = (
    Step(
        "insert events",
        f"""INSERT INTO demo.events SELECT now(), rand() % 1000, ['view', 'buy', 'leave'][rand(1) % 3 + 1],
            round(rand(2) / 1e7, 2) FROM numbers({EVENTS_PER_INSERT})""",  # noqa: S608
        pause_seconds=INSERT_EVERY_SECONDS,
    ),
    Step("read events", "SELECT count() FROM demo.events WHERE at > now() - 60", pause_seconds=1.0),
    Step(
        "slow query",
        """SELECT customer, sum(amount) AS spent, sleep(2) FROM demo.events
        GROUP BY customer ORDER BY spent DESC LIMIT 10""",
        pause_seconds=8.0,
    ),
    Step(
        "long report",
        "SELECT sum(sleepEachRow(1)) FROM numbers(25) SETTINGS max_block_size = 1",
        pause_seconds=0.5,
    ),
    Step(
        "slow mutation",
        # 30 rows, half a second each, and the merge list shows it; the next begins when it has ended.
        """ALTER TABLE demo.prices UPDATE price = price + sleepEachRow(0.5) WHERE 1
        SETTINGS mutations_sync = 1""",
        pause_seconds=2.0,
    ),
    Step("missing table", "SELECT * FROM demo.no_such_table", fails_with=NO_SUCH_TABLE, pause_seconds=4.0),
    Step(
        "failing insert",
        "INSERT INTO demo.customers SELECT throwIf(1, 'demo: no such customer'), 'x'",
        fails_with=THROWN,
        pause_seconds=7.0,
    ),
    Step(
        "greedy query",
        "SELECT length(groupArray(number)) FROM numbers(10000000) SETTINGS max_memory_usage = 2000000",
        fails_with=OUT_OF_MEMORY,
        pause_seconds=11.0,
    ),
    Step(
        "endless query",
        """SELECT sum(sleepEachRow(0.5)) FROM numbers(100)
        SETTINGS max_block_size = 1, max_execution_time = 1""",
        fails_with=TIMED_OUT,
        pause_seconds=13.0,
    ),
)

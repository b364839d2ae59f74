"""Consumers of a broker that is not there, on a real server.

The engine has Kafka tables, but says `Shutdown was called` when one is made, and would not start again with
one: every test drops its own. No test has a broker, so nothing is ever read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from clustersight.clickhouse.sql import bind, compose, ident
from clustersight.panels import kafka
from clustersight.panels.kafka import FAILED_WITHIN_SECONDS, PANEL, Row
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, address_of, database
from tests.panels.visiting import run, run_until, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import free_port

LOGICAL_ERROR = 49
FAILING = "clickhouse_kafka_consumer_failing"


@contextlib.contextmanager
def consuming(server: EmbeddedServer, name: tuple[str, str]) -> Iterator[None]:
    """A Kafka table with two consumers; nobody reads it yet."""
    quoted = ident(*name)
    try:
        server.execute(
            f"CREATE TABLE {quoted} (n UInt64) ENGINE = Kafka SETTINGS kafka_topic_list = 't',"
            f" kafka_broker_list = '127.0.0.1:{free_port()}', kafka_group_name = 'g',"
            " kafka_num_consumers = 2, kafka_format = 'JSONEachRow'"
        )
    except EmbeddedError as error:
        if error.code != LOGICAL_ERROR:
            raise
    try:
        yield
    finally:
        server.execute(f"DROP TABLE {quoted}")


def test_a_consumer_whose_broker_is_gone_is_failing(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db, consuming(embedded, name := (db, HOSTILE)):
        before = values(run(address_of(embedded), PANEL))
        assert before[FAILING, *name] == 0
        assert ("clickhouse_kafka_last_poll_age_seconds", *name) not in before
        embedded.execute(
            f"CREATE MATERIALIZED VIEW {ident(db, 'v')} ENGINE = Memory AS SELECT n FROM {ident(*name)}"
        )
        found = run_until(address_of(embedded), PANEL, lambda one: values(one).get((FAILING, *name)) == 1)
        sampled = values(found)
        assert sampled[FAILING, *name] == 1
        assert sampled["clickhouse_kafka_consumers", *name] == 2
        assert sampled["clickhouse_kafka_messages_read_total", *name] == 0
        assert sampled[("clickhouse_kafka_consumers_failing_all",)] >= 1
        row = PANEL.row_of(found.rows, {"database": db, "table": HOSTILE})
        assert row is not None
        assert row.exception.startswith("[thrd:")
        [shown] = [one for one in PANEL.payload(found.rows) if one["database"] == db]
        assert shown["last_exception_at"].endswith("Z")
        assert shown["last_commit_at"] is None
        embedded.execute(f"DROP TABLE {ident(db, 'v')}")


# What system.kafka_consumers says of a consumer with exceptions and a commit so many seconds ago.
MADE_UP = """(SELECT 'd' AS database, 't' AS table, toUInt64(5 + 2 * number) AS num_messages_read,
    if(number = 1, now() - 30, toDateTime(0)) AS last_poll_time,
    if(number = 1 AND {commit} > 0, now() - {commit}, toDateTime(0)) AS last_commit_time,
    if(number = 1, arrayMap(age -> now() - age, {ages}), []) AS `exceptions.time`,
    if(number = 1, arrayMap(age -> if(age = {ages}[-1], 'young', 'old'), {ages}), []) AS `exceptions.text`
    FROM numbers(2))"""


@pytest.mark.parametrize(
    ("ages", "commit", "failing"),
    [
        ([90_000, 300], 0, 1),
        ([90_000, 700], 0, 0),  # old exceptions are kept but over
        ([90_000, 300], 400, 1),
        ([90_000, 300], 60, 0),  # a connection that was lost and is back
        (
            [590 - 50 * count for count in range(10)],
            60,
            1,
        ),  # one message that fails each time, between others
        ([700, *(590 - 50 * count for count in range(9))], 60, 0),
    ],
)
def test_exceptions_that_are_over(
    embedded: EmbeddedServer, ages: list[int], commit: int, failing: int
) -> None:
    made_up = MADE_UP.format(ages=ages, commit=commit)
    sql = compose(kafka.SQL, lambda _: True).replace("system.kafka_consumers", made_up)
    [found] = embedded.execute(bind(sql, {"within": FAILED_WITHIN_SECONDS}))
    row = Row(*found)
    assert (row.consumers, row.failing_consumers, row.messages, row.exception) == (2, failing, 12, "young")
    assert row.poll_age_seconds in range(30, 90)


def test_18_has_no_such_table(replicas: list[ClickHouse18]) -> None:
    found = run(address_of(replicas[0]), PANEL)
    assert (found.status, found.samples) == (Status.UNSUPPORTED, ())

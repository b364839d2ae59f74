"""What may be broken in a cluster beside its nodes: a row of the cluster's dashboard."""

from grafana.panels import Graph, Row, Stat
from grafana.queries import OF_TABLE, Query, largest


def _tables(expr: str) -> Query:
    """How many Distributed tables are so: 0 only where their queue is told."""
    return Query(f"count({expr}) or 0 * max(clickhouse_distribution_queue_files_all)")


OBJECTS = Row(
    "What else may be broken",
    (
        Stat(
            title="Tables not loaded",
            about="Tables and databases that failed to load: they are missing until that is repaired.",
            query=Query("sum(clickhouse_tables_load_failed)"),
            counts="TableLoadFailed",
            empty="not told",
        ),
        Stat(
            title="Dictionaries failing",
            about="Dictionaries whose last load or update failed.",
            query=Query("sum(clickhouse_dictionaries_failing)"),
            counts="DictionaryFailing",
            empty="not told",
        ),
        Stat(
            title="Views failing",
            about="Refreshable views whose last refresh failed.",
            query=Query("sum(clickhouse_view_refreshes_failing)"),
            counts="ViewRefreshFailing",
            empty="not told",
        ),
        Stat(
            title="Kafka consumers failing",
            about="Consumers of Kafka tables that had an exception in the last ten minutes.",
            query=Query("sum(clickhouse_kafka_consumers_failing_all)"),
            counts="KafkaConsumerFailing",
            empty="not told",
        ),
        Stat(
            title="Oldest DDL",
            about="Age of the oldest entry of DDL ON CLUSTER that a living node has not finished.",
            query=Query("max(clickhouse_ddl_queue_oldest_entry_seconds)"),
            unit="s",
            rule="DdlQueueStuck",
            empty="no queue",
        ),
        Stat(
            title="Last backup",
            about="Time since a backup of the cluster last succeeded; of the worst of the chosen clusters.",
            query=Query("max(clickhouse_backup_last_success_age_seconds)"),
            unit="s",
            empty="none known",
        ),
        Stat(
            title="Shards down",
            about="Shards none of whose replicas answers: their data cannot be read.",
            query=Query("sum(clickhouse_cluster_shards_down)"),
            counts="ShardDown",
            empty="not known",
        ),
        Stat(
            title="Backups overdue",
            about="Clusters without a backup that succeeded for as long as backups.expected_every says.",
            query=Query("sum(clickhouse_backup_overdue)"),
            counts="BackupStale",
            empty="none expected",
        ),
        Stat(
            title="Sends that fail",
            about="Distributed tables whose last send to a shard failed, and that have files waiting.",
            query=_tables("clickhouse_distribution_queue_errors > 0"),
            counts="DistributionBacklog",
            empty="not told",
        ),
        Stat(
            title="Sends stopped",
            about="Distributed tables of which somebody stopped the sends.",
            query=_tables("clickhouse_distribution_queue_blocked == 1"),
            counts="DistributionBlocked",
            empty="not told",
        ),
        Stat(
            title="Dictionaries stale",
            about="Dictionaries that are not updated any more, without an exception that says why.",
            query=Query("sum(clickhouse_dictionaries_stale)"),
            counts="DictionaryStale",
            empty="not told",
        ),
        Stat(
            title="Stuck mutations",
            about="Mutations that do not fail, and of which no part gets done.",
            query=Query("sum(clickhouse_mutations_unfinished_stuck)"),
            counts="MutationStuck",
            empty="not told",
        ),
        Graph(
            title="Files of Distributed tables that wait",
            about="Blocks of inserts that were not sent yet to the other nodes.",
            queries=(largest("clickhouse_distribution_queue_files_all"),),
        ),
        Graph(
            title="Broken files of Distributed tables",
            about="Files that were set aside: their rows are not delivered.",
            queries=(largest("clickhouse_distribution_queue_broken_files_all"),),
            counts="DistributionBroken",
        ),
        Graph(
            title="Memory of dictionaries",
            about="Memory that the loaded dictionaries of each node take.",
            queries=(largest("clickhouse_dictionaries_bytes"),),
            unit="bytes",
        ),
        Graph(
            title="Messages from Kafka",
            about="Messages that the consumers of the ten busiest tables read, a second over 15 minutes.",
            queries=(
                # Read every five minutes: over a shorter time it would be 0, and then far too much.
                Query("topk(10, increase(clickhouse_kafka_messages_read_total[15m]) / 900)", OF_TABLE),
            ),
            unit="ops",
        ),
        Graph(
            title="Age of refreshed views",
            about="Time since the last refresh that succeeded: the ten oldest views.",
            queries=(
                Query(
                    "topk(10, clickhouse_view_refresh_last_success_age_seconds)",
                    "{{cluster}} {{host}} {{database}}.{{view}}",
                ),
            ),
            unit="s",
        ),
        Graph(
            title="Backups that failed",
            about="Backups that failed or were cancelled on each node since the last one that succeeded.",
            queries=(largest("clickhouse_backups_failed"),),
            rule="BackupFailed",
        ),
    ),
)

"""Which functions and tables reach beyond the tables that a text names: hosts, files, programs, Keeper."""

from __future__ import annotations

# Table functions that make up their rows themselves, or are also functions of text. From 26.9's
# system.table_functions; all others read files, other servers, or what somebody else has defined.
HARMLESS = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "generateseries", "generate_series", "values", "null",
     "generaterandom", "primes", "format"}
)  # fmt: skip
# They read tables of the same cluster, with the rights of the user.
WITHIN_CLUSTER = frozenset(
    {"cluster", "clusterallreplicas", "dictionary", "loop", "merge", "mergetreeindex", "mergetreeprojection",
     "timeseriesdata", "timeseriesmetrics", "timeseriestags", "view", "viewifpermitted"}
)  # fmt: skip
# Those of 26.9 and of earlier versions, and functions that do the like when they are folded.
OUTSIDE = frozenset(
    {"arrowflight", "arrowstream", "azureblobstorage", "azureblobstoragecluster", "bigquery",
     "catboostevaluate", "cosn", "deltalake", "eval", "executable", "file", "filecluster", "filesystem",
     "fuzzjson", "fuzzquery", "gcs", "hdfs", "hdfscluster", "hudi", "iceberg", "input", "jdbc",
     "modelevaluate", "mongodb", "mysql", "odbc", "oss", "paimon", "postgresql", "prometheusquery",
     "python", "redis", "remote", "remotesecure", "s3", "s3cluster", "s3queue", "sleep", "sleepeachrow",
     "sqlite", "url", "urlcluster", "viewexplain", "ytsaurus"}
)  # fmt: skip
# A question to a hung Keeper does not return and ignores every limit (clickhouse-facts.md, 1.1).
KEEPER_TABLES = frozenset(
    {"zookeeper", "zookeeper_connection", "zookeeper_info", "distributed_ddl_queue", "database_replicas"}
)
# Of system.replicas: each asks Keeper for every table (ClickHouse#43918).
KEEPER_COLUMNS = frozenset(
    {"total_replicas", "active_replicas", "log_max_index", "log_pointer", "lost_part_count",
     "zookeeper_exception", "replica_is_active"}
)  # fmt: skip

"""Keeper: its nodes, its quorum, and what ClickHouse has of it."""

from grafana.frame import Board
from grafana.panels import OK, UP, Column, Graph, Row, Stat, Table, Timeline
from grafana.queries import Query, a_second, largest
from grafana.thresholds import seen_by

_NODE = "{{cluster}} {{node}}"

NOW = Row(
    "Now",
    (
        Stat(
            title="Quorum",
            about="Whether a Keeper node serves requests; the worst of the chosen clusters.",
            query=Query("min(clickhouse_keeper_quorum)"),
            words=OK,
            rule="KeeperQuorumLost",
            empty="not told",
        ),
        Stat(
            title="Keeper nodes up",
            about="Keeper nodes that serve requests.",
            query=Query("sum(clickhouse_keeper_nodes_up)"),
            empty="not told",
        ),
        Stat(
            title="Keeper nodes",
            about="Keeper nodes that are known, from the configuration or from the servers.",
            query=Query("sum(clickhouse_keeper_nodes)"),
            empty="none known",
        ),
        Stat(
            title="Nodes without Keeper",
            about="ClickHouse nodes whose session with Keeper does not answer.",
            query=Query("count(clickhouse_keeper_online) - sum(clickhouse_keeper_online)"),
            counts="KeeperOffline",
            empty="no Keeper",
        ),
        Stat(
            title="Expired sessions",
            about="Sessions with Keeper that expired since the servers started.",
            query=Query("sum(clickhouse_zookeeper_sessions_expired)"),
            empty="not told",
        ),
        Stat(
            title="Slowest answer",
            about="The exporter's round trip to the slowest Keeper node.",
            query=Query("max(clickhouse_keeper_node_latency_seconds)"),
            unit="s",
            empty="none answers",
        ),
    ),
)
NODES = Row(
    "Keeper nodes",
    (
        Timeline(
            title="State",
            about="Whether each Keeper node serves requests; `imok` without quorum does not count.",
            query=largest("clickhouse_keeper_node_up", "cluster", "node"),
            words=UP,
            width=12,
        ),
        Graph(
            title="Round trip",
            about="The exporter's question to each Keeper node, with connecting.",
            queries=(largest("clickhouse_keeper_node_latency_seconds", "cluster", "node"),),
            unit="s",
            width=12,
        ),
        Graph(
            title="Waiting requests",
            about="Requests that wait in each Keeper node: a disk or a network that does not keep up.",
            queries=(largest("clickhouse_keeper_node_outstanding_requests", "cluster", "node"),),
        ),
        Graph(
            title="Nodes of the tree",
            about="How many nodes Keeper's tree has; one that only grows is a leak, or very many parts.",
            queries=(largest("clickhouse_keeper_node_znodes", "cluster", "node"),),
        ),
        Graph(
            title="Connections and watches",
            about="Clients and watches of each Keeper node.",
            queries=(
                Query("max by (cluster, node) (clickhouse_keeper_node_connections)", "connections " + _NODE),
                Query("max by (cluster, node) (clickhouse_keeper_node_watches)", "watches " + _NODE),
            ),
        ),
        Table(
            title="Each Keeper node",
            about="What each tells of itself; followers are told by the leader alone.",
            labels=("cluster", "node"),
            sort="Up",
            falling=False,
            columns=(
                Column(name="Up", expr="clickhouse_keeper_node_up", words=UP),
                Column(
                    name="Round trip",
                    expr="clickhouse_keeper_node_latency_seconds",
                    unit="s",
                ),
                Column(name="Ephemerals", expr="clickhouse_keeper_node_ephemerals"),
                Column(name="Followers", expr="clickhouse_keeper_node_followers"),
                Column(name="In sync", expr="clickhouse_keeper_node_synced_followers"),
            ),
        ),
    ),
)
CLIENTS = Row(
    "ClickHouse and Keeper",
    (
        Timeline(
            title="Session of each node",
            about="Whether each ClickHouse node has a session with Keeper that answers within 3 seconds.",
            query=largest("clickhouse_keeper_online"),
            words=UP,
            width=12,
        ),
        Graph(
            title="Exceptions",
            about="Requests lost to the network or with a session, a minute; usual races do not count.",
            queries=(largest(seen_by("KeeperExceptions")),),
            unit="cpm",
            rule="KeeperExceptions",
            width=12,
        ),
        Graph(
            title="Transactions",
            about="Transactions of each ClickHouse node with Keeper a second.",
            queries=(a_second("clickhouse_zookeeper_transactions_total"),),
            unit="ops",
        ),
        Graph(
            title="Waiting for Keeper",
            about="Seconds a second that threads of each node wait for Keeper.",
            queries=(a_second("clickhouse_zookeeper_wait_seconds_total"),),
            unit="s",
        ),
        Graph(
            title="Requests in flight",
            about="Requests of each node that Keeper has not answered yet.",
            queries=(largest("clickhouse_zookeeper_requests_in_flight"),),
        ),
    ),
)
BOARD = Board(
    uid="clustersight-keeper",
    title="ClickHouse Keeper",
    about="Keeper or ZooKeeper: nodes, quorum, latency, and what ClickHouse has of it.",
    rows=(NOW, NODES, CLIENTS),
)

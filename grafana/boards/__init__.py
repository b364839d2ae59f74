"""Every dashboard, one module and one line each."""

from grafana.boards import alerts, cluster, clustersight, fleet, keeper, parts, queries, replication, storage
from grafana.frame import Board

ALL: tuple[Board, ...] = (
    fleet.BOARD,
    cluster.BOARD,
    replication.BOARD,
    parts.BOARD,
    storage.BOARD,
    queries.BOARD,
    keeper.BOARD,
    alerts.BOARD,
    clustersight.BOARD,
)

"""Alerts of ClusterSight's alerter: what fires, and whether it was delivered."""

from grafana.frame import Board
from grafana.panels import OK, Column, Graph, Row, Stat, Table, Timeline
from grafana.queries import Query, a_minute, alerts_of, largest

NOW = Row(
    "Now",
    (
        Stat(
            title="Critical",
            about="Critical alerts that are not resolved.",
            query=alerts_of("critical"),
            counts="critical",
            empty="no alerter",
        ),
        Stat(
            title="Warnings",
            about="Warnings that are not resolved.",
            query=alerts_of("warning"),
            counts="warning",
            empty="no alerter",
        ),
        Stat(
            title="Rules",
            about="Rules that are switched on.",
            query=Query("max(clustersight_alerter_rules_loaded)"),
            empty="no alerter",
        ),
        Stat(
            title="Last evaluation",
            about="Time since a pass over the rules last ended.",
            query=Query("time() - max(clustersight_alerter_last_evaluation_timestamp_seconds)"),
            unit="s",
            empty="no alerter",
        ),
        Stat(
            title="Waiting messages",
            about="Messages in the outbox that are not delivered yet.",
            query=Query('max(clustersight_alerter_outbox_rows{state="pending"})'),
            empty="no alerter",
        ),
        Stat(
            title="Oldest of them",
            about="How long the oldest message has been waiting.",
            query=Query("max(clustersight_alerter_outbox_oldest_age_seconds)"),
            unit="s",
            empty="no alerter",
        ),
    ),
)
FIRING = Row(
    "What fires",
    (
        Table(
            title="Firing alerts",
            about="By rule and cluster. Tables, evidence and fixes: the API, in the links above.",
            labels=("severity", "alertname", "cluster"),
            sort="severity",
            falling=False,
            width=12,
            height=10,
            columns=(
                Column(
                    name="Alerts",
                    expr="clustersight_alerter_firing_alerts",
                    how="sum",
                ),
            ),
        ),
        Graph(
            title="By rule",
            about="Alerts that are not resolved, by rule.",
            queries=(Query("sum by (alertname) (clustersight_alerter_firing_alerts)", "{{alertname}}"),),
            stacked=True,
            width=12,
            height=10,
        ),
        Graph(
            title="By severity",
            about="Alerts of all clusters that are not resolved.",
            queries=(largest("clustersight_alerter_alerts", "severity"),),
            width=24,
        ),
    ),
)
DELIVERY = Row(
    "Delivery",
    (
        Timeline(
            title="Channels",
            about="Whether each channel takes messages; one that fails needs repair, and its messages wait.",
            query=Query("min by (channel) (clustersight_alerter_channel_healthy)", "{{channel}}"),
            words=OK,
        ),
        Graph(
            title="Tries",
            about="How tries to deliver ended, a minute.",
            queries=(a_minute("clustersight_alerter_notifications_total", "channel", "outcome"),),
            unit="cpm",
        ),
        Graph(
            title="Outbox",
            about="Messages by how they ended, or pending; the ended ones are kept for a while.",
            queries=(largest("clustersight_alerter_outbox_rows", "state"),),
        ),
    ),
)
BOARD = Board(
    uid="clustersight-alerts",
    title="ClickHouse alerts",
    about="What fires in which cluster, and whether somebody was told.",
    rows=(NOW, FIRING, DELIVERY),
    places=("cluster",),
    start="now-24h",
)

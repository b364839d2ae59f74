"""ClusterSight itself: who watches the watcher looks here."""

from grafana.frame import Board
from grafana.panels import OK, Column, Graph, Row, Stat, Table
from grafana.queries import Query, a_second, largest

# Those of our processes, wherever they are scraped.
_OURS = "and on (job, instance) clustersight_build_info"

NOW = Row(
    "Now",
    (
        Stat(
            title="Panels that fail",
            about="Panels whose last run did not end well; unsupported and disabled ones do not count.",
            query=Query("count(clustersight_panel_up == 0) or 0 * count(clustersight_panel_up)"),
            counts="CollectionStale",
        ),
        Stat(
            title="Oldest panel",
            about="The panel that was not read well for longest, in its own intervals.",
            query=Query(
                "max((time() - clustersight_panel_last_success_timestamp_seconds)"
                " / clustersight_panel_interval_seconds)"
            ),
            rule="CollectionStale",
            decimals=1,
        ),
        Stat(
            title="Exporter works",
            about="Whether an exporter works on the store; another one stands by.",
            query=Query("max(clustersight_exporter_leader)"),
            words=OK,
        ),
        Stat(
            title="Alerter works",
            about="Whether an alerter works on the store; another one stands by.",
            query=Query("max(clustersight_alerter_leader)"),
            words=OK,
            empty="no alerter",
        ),
        Stat(
            title="Store",
            about="Whether the last write to the store succeeded; collecting goes on without it.",
            query=Query("min(clustersight_store_up)"),
            words=OK,
        ),
        Stat(
            title="Configuration",
            about="Whether every process took over the last configuration and rules.",
            query=Query(
                "min(clustersight_config_last_reload_successful"
                " or clustersight_alerter_config_last_reload_successful)"
            ),
            words=OK,
        ),
    ),
)
COLLECTING = Row(
    "Collecting",
    (
        Graph(
            title="Visits",
            about="How long a visit to each node took.",
            queries=(largest("clustersight_collection_duration_seconds"),),
            unit="s",
        ),
        Graph(
            title="Slowest panels",
            about="How long the ten slowest panels took, on the slowest node.",
            queries=(
                Query(
                    "topk(10, max by (cluster, panel) (clustersight_panel_duration_seconds))",
                    "{{cluster}} {{panel}}",
                ),
            ),
            unit="s",
        ),
        Graph(
            title="Rows read",
            about="Rows that ClickHouse read for the ten most expensive panels.",
            queries=(
                Query(
                    "topk(10, max by (cluster, panel) (clustersight_panel_read_rows))",
                    "{{cluster}} {{panel}}",
                ),
            ),
        ),
        Graph(
            title="Series",
            about="Series of the clusters on the page; the limit is collection.max_series.",
            queries=(largest("clustersight_exporter_series", "instance"),),
        ),
        Graph(
            title="Series left out",
            about="Series that the caps cut, by panel; the worst ones stay.",
            queries=(
                Query("sum by (cluster, panel) (clustersight_series_dropped > 0)", "{{cluster}} {{panel}}"),
            ),
            stacked=True,
        ),
        Graph(
            title="Hosts that are not asked",
            about="Hosts in system.clusters to which discover_hosts lets no credentials go.",
            queries=(largest("clustersight_discovery_refused_hosts", "cluster"),),
        ),
    ),
)
PANELS = Table(
    title="Panels that do not run well",
    about="Each with the status in which its last run ended. unsupported: this version has no such table.",
    labels=("cluster", "host", "panel", "status"),
    sort="status",
    falling=False,
    columns=(
        Column(
            name="Is",
            expr='clustersight_panel_status{status!="ok"}',
            words={"1": ("so", "orange")},
        ),
    ),
)
PROCESSES = Row(
    "Processes",
    (
        Graph(
            title="Memory",
            about="Resident memory of the exporter, the alerter, and each worker of the API.",
            queries=(
                Query(
                    f"sum by (job, instance) (process_resident_memory_bytes {_OURS})", "{{job}} {{instance}}"
                ),
            ),
            unit="bytes",
        ),
        Graph(
            title="CPU",
            about="Cores that each process uses.",
            queries=(
                Query(
                    f"sum by (job, instance) (rate(process_cpu_seconds_total[$__rate_interval]) {_OURS})",
                    "{{job}} {{instance}}",
                ),
            ),
            unit="none",
            decimals=3,
        ),
        Graph(
            title="Evaluation of rules",
            about="How long a pass over the rules took.",
            queries=(largest("clustersight_alerter_last_evaluation_duration_seconds", "instance"),),
            unit="s",
        ),
        Graph(
            title="What went wrong",
            about="Failed evaluations, passes left out, and visits that were not stored, a minute.",
            queries=(
                Query(
                    "sum(60 * rate(clustersight_alerter_rule_evaluation_failures_total[$__rate_interval]))",
                    "evaluations that failed",
                ),
                Query(
                    "sum(60 * rate(clustersight_alerter_iterations_missed_total[$__rate_interval]))",
                    "passes left out",
                ),
                Query(
                    "sum(60 * rate(clustersight_exporter_visits_not_stored_total[$__rate_interval]))",
                    "visits not stored",
                ),
            ),
            unit="cpm",
        ),
        Graph(
            title="Requests to the API",
            about="Answers of the API a second, by status.",
            queries=(a_second("clustersight_api_requests_total", "status"),),
            unit="reqps",
            stacked=True,
        ),
        Graph(
            title="Slow requests to the API",
            about="95 % of the answers of the API were faster.",
            queries=(
                Query(
                    "histogram_quantile(0.95, sum by (le)"
                    " (rate(clustersight_api_request_duration_seconds_bucket[$__rate_interval])))",
                    "p95",
                ),
            ),
            unit="s",
        ),
    ),
)
BOARD = Board(
    uid="clustersight-self",
    title="ClusterSight itself",
    about="Whether the monitor works: panels and their age, store, caps, deliveries, and what it takes.",
    rows=(NOW, COLLECTING, Row("Panels", (PANELS,)), PROCESSES),
)

"""What the alerter says of itself: the catalogue list beside self_metrics.EXPORTER. No cluster, no host."""

from __future__ import annotations

from clustersight.metrics import Kind, Metric

RELOAD_SUCCESSFUL = Metric(
    "clustersight_alerter_config_last_reload_successful",
    "1 if the configuration and all rule files were taken over; 0: the last good ones are evaluated.",
)
RELOADED_AT = Metric(
    "clustersight_alerter_config_last_reload_success_timestamp_seconds",
    "When configuration and rule files were last taken over.",
)
LEADER = Metric(
    "clustersight_alerter_leader", "1 if this alerter works on its store, 0 while it stands by for another."
)
RULES = Metric("clustersight_alerter_rules_loaded", "Rules of all origins that are switched on.")
FAILURES = Metric(
    "clustersight_alerter_rule_evaluation_failures_total",
    "Evaluations of rules that ended in an error; their alerts keep their state.",
    kind=Kind.COUNTER,
)
MISSED = Metric(
    "clustersight_alerter_iterations_missed_total",
    "Passes over the rules that were left out, since the one before took longer than the interval.",
    kind=Kind.COUNTER,
)
CLOCK_STEPS = Metric(
    "clustersight_alerter_clock_steps_total", "Steps of the wall clock that were noticed.", kind=Kind.COUNTER
)
HEARTBEATS = Metric(
    "clustersight_alerter_heartbeats_total",
    "Calls of alerter.heartbeat_url by how they ended.",
    ("outcome",),
    kind=Kind.COUNTER,
)
LAST_PASS = Metric(
    "clustersight_alerter_last_evaluation_timestamp_seconds", "When a pass over the rules last ended."
)
EVALUATION_SECONDS = Metric(
    "clustersight_alerter_last_evaluation_duration_seconds", "How long that pass took."
)
ALERTS = Metric("clustersight_alerter_alerts", "Alerts that are not resolved.", ("severity",))
# At most one for each rule and cluster, so that Prometheus can keep them and Grafana mark them.
FIRING = Metric(
    "clustersight_alerter_firing_alerts",
    "Alerts of a rule that are not resolved in a cluster, by severity; absent where there are none.",
    ("alertname", "cluster", "severity"),
)
NOTIFICATIONS = Metric(
    "clustersight_alerter_notifications_total",
    "Notices by how a try to deliver them ended; one message may hold many.",
    ("channel", "outcome"),
    kind=Kind.COUNTER,
)
CHANNEL_HEALTHY = Metric(
    "clustersight_alerter_channel_healthy",
    "1 while the channel takes messages, or asked to be left alone for a moment; 0: it needs repair.",
    ("channel",),
)
OUTBOX_ROWS = Metric(
    "clustersight_alerter_outbox_rows", "Rows of the outbox by how they ended, or pending.", ("state",)
)
OUTBOX_AGE = Metric(
    "clustersight_alerter_outbox_oldest_age_seconds", "Age of the oldest pending row; 0 without one."
)

ALERTER: tuple[Metric, ...] = (
    RELOAD_SUCCESSFUL, RELOADED_AT, LEADER, RULES, FAILURES, MISSED, CLOCK_STEPS, HEARTBEATS,
    LAST_PASS, EVALUATION_SECONDS, ALERTS, FIRING, NOTIFICATIONS, CHANNEL_HEALTHY, OUTBOX_ROWS, OUTBOX_AGE,
)  # fmt: skip

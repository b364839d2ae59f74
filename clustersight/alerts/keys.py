"""What a rule key speaks of: which panel's snapshots hold it, one node or a whole cluster."""

from __future__ import annotations

from clustersight.alerts.inhibition import KEEPER_LINGER_SECONDS, LINGER_SECONDS
from clustersight.alerts.instance import Instance
from clustersight.metric_keys import HEALTH_PANEL, RUNNER_PANEL, metric_keys
from clustersight.metrics import Metric
from clustersight.panels import ALL
from clustersight.panels.panel import Scope
from clustersight.rules.rule import SQL_PREFIX, Rule

AGE_SECONDS = "collector.age_seconds"
AGE_INTERVALS = "collector.age_intervals"
_KEEPER = frozenset({"keeper", "keeper-nodes"})
PANELS = {panel.name: panel for panel in ALL}


def panel_of(key: str) -> str:
    """The panel whose snapshots hold a key: the score's samples stand beside the runner's."""
    if key.startswith(SQL_PREFIX):
        return key
    known = metric_keys().get(key)
    if known is None:
        return ""
    return RUNNER_PANEL if known.panel == HEALTH_PANEL else known.panel


def is_of_cluster(key: str) -> bool:
    """Whether a key speaks of a cluster as a whole, whose samples have the host ""."""
    known = metric_keys().get(key)
    return known is not None and isinstance(known.source, Metric) and known.source.cluster_only


def speaks_of_cluster(key: str) -> bool:
    """Whether a key's panel asks one node about the whole cluster, as keeper-nodes does."""
    panel = PANELS.get(panel_of(key))
    return panel is not None and panel.scope is Scope.CLUSTER


def linger_seconds(key: str) -> float:
    """How long an alert on a key still inhibits others after its end."""
    return KEEPER_LINGER_SECONDS if panel_of(key) in _KEEPER else LINGER_SECONDS


def reach_of(rule: Rule, instance: Instance) -> str:
    """The host that an alert inhibits others on: none, so everywhere, where it speaks of the cluster."""
    return "" if speaks_of_cluster(rule.metric_key) else instance.host

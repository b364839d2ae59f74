"""Settings as they hold: the file and the environment, over what was set through the API, over defaults."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clustersight.clusters import descriptions_of, settings_of
from clustersight.logs import event
from clustersight.rules.definition import rule_of
from clustersight.rules.rule import Rule
from clustersight.settings.cluster import ClusterSettings
from clustersight.settings.model import Settings
from clustersight.store import clusters as stored_clusters
from clustersight.store import revisions
from clustersight.store import rules as stored_rules
from clustersight.store import settings as stored_settings
from clustersight.store.clusters import ManagedBy
from clustersight.store.errors import Undecryptable
from clustersight.store.opening import Store
from clustersight.store.rules import StoredRule

log = logging.getLogger(__name__)

# The API's name of a setting -> section and key of spec/configuration.md.
OVERLAY: Mapping[str, tuple[str, str]] = {
    "collection_interval_sec": ("collection", "interval_sec"),
    "tier1_enabled": ("collection", "tier1"),
    "tier2_enabled": ("collection", "tier2"),
    "retention_raw_days": ("retention", "raw_days"),
    "retention_hourly_days": ("retention", "hourly_days"),
    "retention_daily_days": ("retention", "daily_days"),
}


@dataclass(frozen=True, slots=True)
class Effective:
    """`settings` hold all clusters that can be watched; `ids` are theirs by name.

    `refused` says by id why a cluster cannot be: its password cannot be decrypted. `sql_rules` are those
    with a SELECT of their own that are on.
    """

    settings: Settings
    ids: Mapping[str, str]
    refused: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    sql_rules: tuple[Rule, ...] = ()


def provisioned(settings: Settings) -> frozenset[str]:
    """The keys of OVERLAY that the file or the environment gives: the API may not change them."""
    return frozenset(
        name for name, (section, key) in OVERLAY.items() if key in getattr(settings, section).model_fields_set
    )


def overlaid(settings: Settings, stored: Mapping[str, Any]) -> Settings:
    """The settings with what was set over the API, where the file is silent."""
    fixed = provisioned(settings)
    updates: dict[str, dict[str, Any]] = {}
    for name, (section, key) in OVERLAY.items():
        if name in stored and name not in fixed:
            updates.setdefault(section, {})[key] = stored[name]
    return settings.model_copy(
        update={
            section: getattr(settings, section).model_copy(update=values)
            for section, values in updates.items()
        }
    )


def provision(settings: Settings, store: Store, now: float, *, complete: bool) -> None:
    """Make the file's clusters those of the store (store/clusters.py). Raises StoreError."""
    with store.database.begin() as db:
        stored_clusters.provision(db, descriptions_of(settings.clusters), now, complete=complete)


def effective(settings: Settings, store: Store) -> Effective:
    """What holds now: file settings (with their credentials) and the store's. Raises StoreError."""
    with store.database.read() as db:
        revision = revisions.read(db)
        known = stored_clusters.active(db)
        sql_rules = _sql_rules(stored_rules.every(db))
        changed = overlaid(settings, stored_settings.read(db))
    own = {cluster.name: cluster for cluster in settings.clusters}
    found: list[ClusterSettings] = []
    refused: dict[str, str] = {}
    for cluster in known:
        if cluster.managed_by is ManagedBy.FILE:
            found += [own[cluster.name]] if cluster.name in own else []
            continue
        try:
            found.append(settings_of(cluster, store))
        except (Undecryptable, OSError, ValueError) as error:
            refused[cluster.id] = f"{cluster.name}: {_reason(error)}"
    names = {cluster.name for cluster in found}
    return Effective(
        changed.model_copy(update={"clusters": tuple(found)}),
        {cluster.name: cluster.id for cluster in known if cluster.name in names},
        refused,
        revision,
        sql_rules,
    )


def _sql_rules(stored: Iterable[StoredRule]) -> tuple[Rule, ...]:
    found = []
    for one in stored:
        try:
            found += [rule_of(one)] if one.enabled and one.definition.get("sql") else []
        except (KeyError, TypeError, ValueError) as error:
            event(log, logging.ERROR, "rule is not valid in this release", rule=one.name, error=error)
    return tuple(found)


def _reason(error: Exception) -> str:
    if isinstance(error, Undecryptable):
        return str(error)
    return "what is stored of it is not valid in this release; enter it anew over the API"


def tell_refused(found: Effective, before: Effective | None) -> None:
    """Log each cluster that cannot be watched, once."""
    for cluster_id, reason in found.refused.items():
        if before is None or before.refused.get(cluster_id) != reason:
            event(log, logging.ERROR, "cluster is not watched", id=cluster_id, error=reason)

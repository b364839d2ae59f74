"""What becomes of one dashboard at a push: nothing, a new one, a change, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grafana.client import PROVISIONED, Existing, Grafana
from grafana.differences import compare
from grafana.failures import GrafanaChangedError, GrafanaError
from grafana.files import Json


class Action(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Push:
    """`folder` is a uid; None: a folder that a push would create, which is for a dry run only."""

    grafana: Grafana
    folder: str | None
    message: str
    is_forced: bool = False
    is_dry: bool = False

    def one(self, dashboard: Json) -> Action:
        """What was done, or in a dry run would be. Raises GrafanaError."""
        existing = self.grafana.dashboard(dashboard["uid"])
        action = decide(dashboard, existing, self.folder, is_forced=self.is_forced)
        if action is not Action.UNCHANGED and not self.is_dry:
            self._save(dashboard, existing)
        return action

    def _save(self, dashboard: Json, existing: Existing | None) -> None:
        version = None if existing is None else existing.version
        folder = self.folder or ""
        try:
            self.grafana.save(dashboard, folder=folder, message=self.message, version=version)
        except GrafanaChangedError:
            # By us, perhaps: a try that Grafana took and a proxy answered with 502.
            found = self.grafana.dashboard(dashboard["uid"])
            if found is None or found.folder != folder or compare(dashboard, found.dashboard):
                raise


def decide(ours: Json, existing: Existing | None, folder: str | None, *, is_forced: bool) -> Action:
    """What a push has to do. Raises GrafanaError for what must not be done."""
    if existing is None:
        return Action.CREATED
    tags = existing.dashboard.get("tags")
    if not is_forced and not set(ours["tags"]) <= set(tags if isinstance(tags, list) else ()):
        raise GrafanaError(_foreign(ours, existing))
    is_same = not compare(ours, existing.dashboard)
    if existing.is_provisioned and not is_same:
        raise GrafanaError(f"{PROVISIONED}{f' ({existing.file})' if existing.file else ''}")
    if not is_same:
        return Action.UPDATED
    # Which folder a provisioned one is in is said in Grafana's files too.
    return Action.UNCHANGED if existing.is_provisioned or existing.folder == folder else Action.MOVED


def _foreign(ours: Json, existing: Existing) -> str:
    title = str(existing.dashboard.get("title", ""))[:100]
    return (
        f"the dashboard {title!r} has this uid and not the tag {', '.join(ours['tags'])}: it is somebody"
        " else's. Give it another uid, or replace it with --overwrite-foreign"
    )

"""What becomes of alerts, in the log: a line each, or one line for many."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from clustersight.alerts.wording import Detail
from clustersight.logs import event
from clustersight.store.alert_events import Event, EventKind

log = logging.getLogger(__name__)

# A storm of 5000 alerts is one line: the store has each of them.
MOST_LINES = 20
_TOLD = (EventKind.FIRED, EventKind.ROSE, EventKind.RESOLVED)


def tell(events: Sequence[Event], alerts: Mapping[str, tuple[str, Detail]]) -> None:
    """Log what happened in a pass; `alerts` are rule name and detail by id."""
    told = [one for one in events if one.kind in _TOLD]
    if len(told) > MOST_LINES:
        counts = Counter(one.kind.value for one in told)
        event(log, logging.INFO, "many alerts changed", **counts)
        return
    for one in told:
        name, detail = alerts[one.alert_id]
        # As one field: a label may have any name, also one that a line of the log has.
        labels = ", ".join(f"{label}={value}" for label, value in detail["labels"].items())
        event(log, logging.INFO, f"alert {one.kind.value}", rule=name, alert=one.alert_id, labels=labels)

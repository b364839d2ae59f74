"""The names that a configuration may use: those of the panels and of the score's lines."""

from __future__ import annotations

from clustersight.health import THRESHOLD_NAMES
from clustersight.panels import NAMES
from clustersight.settings.fields import Known

KNOWN = Known(panels=NAMES, thresholds=THRESHOLD_NAMES)

"""Every panel, one module and one line each; the order is the order of a visit and of the documents."""

from clustersight.panels import disk, server
from clustersight.panels.panel import Panel

ALL: tuple[Panel, ...] = (
    server.PANEL,
    disk.PANEL,
)

NAMES: frozenset[str] = frozenset(panel.name for panel in ALL)

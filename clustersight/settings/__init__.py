"""Configuration: file and environment to one frozen Settings, or every problem with its place."""

from clustersight.settings.cluster import ClusterSettings, PanelSettings, Protocol
from clustersight.settings.model import Settings

__all__ = ["ClusterSettings", "PanelSettings", "Protocol", "Settings"]

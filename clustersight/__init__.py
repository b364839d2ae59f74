"""ClusterSight watches ClickHouse: this package is the core that its processes share."""

__version__ = "0.1.0"

"""Data shipped with ClusterSight: the annotated example configuration and Prometheus files."""

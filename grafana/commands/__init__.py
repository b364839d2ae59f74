"""`clustersight dashboards`: one command, one module."""

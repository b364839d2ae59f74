"""Tests of what every process has: the heartbeat and the lease. Serving is tested through the exporter."""

"""Grafana: dashboards as Python, the JSON that is made of them, and files that provision a Grafana.

`python -m grafana` builds, checks, compares and pushes them; `clustersight dashboards` is the same.
"""

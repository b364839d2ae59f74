"""Addresses of dashboards within Grafana, for links in tables and numbers, by the boards' uids."""

# The data source and the time stay what they are. ${__value.raw} is a name that somebody chose: encoded.
_KEPT = "${datasource:queryparam}&${__url_time_range}"
BOARD_OF_CLUSTER = f"/d/clustersight-cluster?var-cluster=${{__value.raw:percentencode}}&{_KEPT}"
BOARD_OF_NODE = (
    # Two clusters may have a host of one name.
    "/d/clustersight-cluster?var-cluster=${__data.fields.cluster:percentencode}"
    f"&var-host=${{__value.raw:percentencode}}&{_KEPT}"
)
BOARD_OF_ALERTS = f"/d/clustersight-alerts?${{cluster:queryparam}}&{_KEPT}"

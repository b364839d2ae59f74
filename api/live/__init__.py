"""ClickHouse asked by the API itself, where what the exporter stored does not suffice."""

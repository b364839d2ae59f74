"""The only door to ClickHouse: connections, errors, capabilities, topology and Keeper's own protocol."""

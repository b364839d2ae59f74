"""An embedded ClickHouse served over HTTP: for `clustersight demo` and for the tests."""

"""The query inspector: slow and failed queries, EXPLAIN, sizes of parts; asked live, of several nodes."""

"""The only door to the state database: what outlives a process, in SQLite or PostgreSQL (design.md, "Store").

It knows nothing of panels, rules and ClickHouse. One module per noun, each a handful of functions over a
connection, so that the caller decides what is one transaction.
"""

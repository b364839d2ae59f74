"""Tests of the state database, on SQLite and on PostgreSQL."""

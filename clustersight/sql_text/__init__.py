"""Texts of SQL and of exceptions about it: cut into tokens, and freed of customers' values."""

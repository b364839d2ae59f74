"""The exporter: collects on its own schedule and serves the last page from memory."""

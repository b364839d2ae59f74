"""Cutting SQL into tokens and taking values out of texts."""

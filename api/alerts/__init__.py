"""Alerts as the API has them: how they are shown, and what people do with them."""

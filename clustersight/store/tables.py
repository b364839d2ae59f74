"""All tables together: whoever copies, checks or compares a database needs every one of them."""

from clustersight.store import alert_schema
from clustersight.store.schema import metadata

__all__ = ["alert_schema", "metadata"]

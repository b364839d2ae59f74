"""GET /health: alive, and which version. Open without a token: a liveness probe has none."""

from __future__ import annotations

from api.resource import Access, Resource, Shape
from clustersight import __version__

RESOURCE = Resource("health", "Whether the API is alive, and its version.")


class Health(Shape):
    """The version of this release."""

    version: str


@RESOURCE.get("/health", access=Access.OPEN, example={"version": "0.1.0"})
def get_health() -> Health:
    """Health check and version."""
    return Health(version=__version__)

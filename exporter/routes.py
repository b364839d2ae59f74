"""Pages of metrics as answers: the text format or OpenMetrics, gzip where the scraper takes it."""

from __future__ import annotations

from clustersight.process.routes import Reply, Request
from exporter.exposition import OPENMETRICS_TYPE, TEXT_TYPE
from exporter.page import Format


def format_of(request: Request) -> Format:
    """What the scraper asked for; the text format unless it names OpenMetrics."""
    return Format.OPENMETRICS if "application/openmetrics-text" in request.accept else Format.TEXT


def metrics_reply(body: bytes, gzipped: bytes | None = None, page_format: Format = Format.TEXT) -> Reply:
    """A page of metrics; gzip where the scraper takes it."""
    kind = TEXT_TYPE if page_format is Format.TEXT else OPENMETRICS_TYPE
    vary = ("Vary", "Accept, Accept-Encoding")
    if gzipped is None:
        return Reply(body, content_type=kind, headers=(vary,))
    return Reply(gzipped, content_type=kind, headers=(("Content-Encoding", "gzip"), vary))

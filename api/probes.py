"""What operators and orchestrators ask the process itself: /-/healthy, /-/ready, /-/reload and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from api.context import current
from api.envelope import JSON, body_of
from api.errors import Detail, Invalid, NotSupported
from api.own import OwnMetrics
from api.resource import Access
from clustersight.problem import Problem, SettingsError
from clustersight.store import revisions

# Reads the configuration anew and takes it over, or raises SettingsError.
Reload = Callable[[], None]


def register(app: Flask, metrics: OwnMetrics, reload: Reload | None) -> dict[str, Access]:
    """Add the routes; returns who may use each."""

    def healthy() -> Response:
        return _say("healthy")

    def ready() -> Response:
        with current().database.read() as db:
            revisions.read(db)
        return _say("ready")

    def take_over() -> Response:
        if reload is None:
            raise NotSupported("this server was started without `clustersight api`; restart it instead")
        try:
            reload()
        except SettingsError as error:
            raise Invalid(
                "reload refused, the last good configuration stays",
                detail=[_told(problem) for problem in error.problems],
            ) from None
        return _say("reloaded")

    def page() -> Response:
        return Response(metrics.render(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.add_url_rule("/-/healthy", "healthy", healthy, methods=["GET"])
    app.add_url_rule("/-/ready", "ready", ready, methods=["GET"])
    app.add_url_rule("/-/reload", "reload", take_over, methods=["POST"])
    app.add_url_rule("/metrics", "metrics", page, methods=["GET"])
    return {
        "healthy": Access.OPEN,
        "ready": Access.OPEN,
        "reload": Access.BROWSER,
        "metrics": Access.BROWSER,
    }


def _say(status: str) -> Response:
    return Response(body_of({"status": status}), content_type=JSON)


def _told(problem: Problem) -> Detail:
    """The place without the folder: where files lie on this machine is nobody's business."""
    place = problem.source.rpartition("/")[2]
    return Detail(
        place if problem.line is None else f"{place}:{problem.line}:{problem.column}", problem.message
    )

"""The landing page as HTML; its style is inline and named in the policy, so that nothing else is loaded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from api.landing import alerts, clusters, verdict
from api.landing.facts import Facts
from api.landing.places import Places
from api.landing.views import AlertView, ClusterView, Kind, Landing, Link
from clustersight import __version__
from clustersight.notify import wording

# Long enough to read and copy a fix in peace; the page says how old it is, and can be told to stay.
REFRESH_SECONDS = 60


def landing(facts: Facts, places: Places, refresh_sec: int) -> Landing:
    """What is shown of these facts."""
    shown = tuple(clusters.view(one, facts, places) for one in facts.clusters)
    fired: Sequence[AlertView] = alerts.views(facts, places)
    return Landing(
        kind=Kind.FULL if facts.items else Kind.EMPTY,
        verdict=verdict.verdict(facts, shown),
        at=wording.moment(facts.now),
        version=__version__,
        is_open=places.is_open,
        refresh_sec=refresh_sec,
        links=tuple(places.of_page()),
        rest=_rest(places),
        alerts=tuple(fired),
        more_alerts=sum(facts.alert_counts.values()) - len(fired),
        clusters=_worst_first(shown),
        more_clusters=len(facts.items) - len(shown),
        is_judged=facts.has_alerter,
    )


def unreadable(why: str, now: float, places: Places, refresh_sec: int) -> Landing:
    """The page of a store that cannot be read."""
    return Landing(
        kind=Kind.UNREADABLE,
        verdict=verdict.unreadable(why),
        at=wording.moment(now),
        version=__version__,
        is_open=places.is_open,
        refresh_sec=refresh_sec,
        links=tuple(places.of_page()),
        rest=_rest(places),
    )


def _worst_first(shown: Sequence[ClusterView]) -> tuple[ClusterView, ...]:
    """Nodes and panels may make one worse than /overview alone says; otherwise the order stays."""
    return tuple(sorted(shown, key=lambda one: clusters.RANK.index(one.level)))


def _rest(places: Places) -> tuple[Link, Link]:
    return (
        places.of_api("All alerts in the API", "/alerts?limit=200", "alerts/get_alerts"),
        places.of_api("All clusters in the API", "/overview", "overview/get_overview"),
    )


def render(page: Landing) -> bytes:
    """UTF-8; every text is escaped."""
    return _template().render(page=page, style=Markup(_style())).encode(errors="backslashreplace")  # noqa: S704


@cache
def policy() -> str:
    """The Content-Security-Policy: the one style sheet, the icon in the page, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("landing.html")


@cache
def _style() -> str:
    return (resources.files("api") / "templates" / "landing.css").read_text(encoding="utf-8")

"""Pages for people: `/` with links, and the interactive documentation with its own assets."""

from __future__ import annotations

import html
from importlib import resources

from flask import Flask, Response
from werkzeug.exceptions import NotFound

from api.resource import BASE, Access
from clustersight import __version__

# Nothing from elsewhere, nothing inline but styles; the page may ask this server.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HTML = "text/html; charset=utf-8"
# The package that carries Swagger UI, and what of it is served.
_PACKAGE = "flask_openapi3_swagger"
_ASSETS = {
    "swagger-ui.css": ("css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": ("js", "text/javascript; charset=utf-8"),
}
_START = """\
window.ui = SwaggerUIBundle({
  url: "../openapi.json", dom_id: "#ui", deepLinking: true, docExpansion: "list",
  validatorUrl: null, persistAuthorization: false,
});
"""
_DOCS = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ClusterSight API</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script>
</body></html>
"""
_LANDING = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ClusterSight API</title>
<meta name="viewport" content="width=device-width">
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }}
code {{ background: #eee; padding: 0 .2em }}</style></head>
<body><h1>ClusterSight API</h1><p>Version {version}. {mode}</p>
<ul>
<li><a href="{base}/docs">{base}/docs</a>: every route, to be tried here</li>
<li><a href="{base}/openapi.json">{base}/openapi.json</a>: the same for programs</li>
<li><a href="{base}/health">{base}/health</a></li>
<li><a href="{base}/overview">{base}/overview</a>: all clusters</li>
<li><a href="/metrics">/metrics</a>: this process, for Prometheus</li>
<li><a href="/-/ready">/-/ready</a></li>
</ul></body></html>
"""
_MODES = {
    True: "There is no password: whoever reaches this address may read and change everything.",
    False: "Requests need <code>Authorization: Bearer …</code>, the SHA-256 of the password.",
}


def register(app: Flask, *, is_open: bool) -> dict[str, Access]:
    """Add the routes; returns who may use each."""
    landing = _LANDING.format(version=html.escape(__version__), base=BASE, mode=_MODES[is_open])

    def page() -> Response:
        return _page(landing)

    def docs() -> Response:
        return _page(_DOCS)

    def start() -> Response:
        return Response(_START, content_type="text/javascript; charset=utf-8")

    app.add_url_rule("/", "landing", page, methods=["GET"])
    app.add_url_rule(f"{BASE}/docs", "docs", docs, methods=["GET"])
    app.add_url_rule(f"{BASE}/docs/start.js", "docs_start", start, methods=["GET"])
    app.add_url_rule(f"{BASE}/docs/<string:name>", "docs_asset", _asset, methods=["GET"])
    return dict.fromkeys(("landing", "docs", "docs_start", "docs_asset"), Access.BROWSER)


def _page(text: str) -> Response:
    return Response(text, content_type=_HTML, headers={"Content-Security-Policy": POLICY})


def _asset(name: str) -> Response:
    if name not in _ASSETS:
        raise NotFound
    folder, content_type = _ASSETS[name]
    file = resources.files(_PACKAGE) / "templates" / "swagger" / folder / name
    return Response(file.read_bytes(), content_type=content_type)

"""Pages for people: `/`, and the interactive documentation with its own assets."""

from __future__ import annotations

from importlib import resources

from flask import Flask, Response
from werkzeug.exceptions import NotFound

from api.landing import route
from api.resource import BASE, Access

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


def register(app: Flask, *, is_open: bool) -> dict[str, Access]:
    """Add the routes; returns who may use each."""

    def docs() -> Response:
        return _page(_DOCS)

    def start() -> Response:
        return Response(_START, content_type="text/javascript; charset=utf-8")

    app.add_url_rule(f"{BASE}/docs", "docs", docs, methods=["GET"])
    app.add_url_rule(f"{BASE}/docs/start.js", "docs_start", start, methods=["GET"])
    app.add_url_rule(f"{BASE}/docs/<string:name>", "docs_asset", _asset, methods=["GET"])
    access = dict.fromkeys(("docs", "docs_start", "docs_asset"), Access.BROWSER)
    return access | route.register(app, is_open=is_open)


def _page(text: str) -> Response:
    return Response(text, content_type=_HTML, headers={"Content-Security-Policy": POLICY})


def _asset(name: str) -> Response:
    if name not in _ASSETS:
        raise NotFound
    folder, content_type = _ASSETS[name]
    file = resources.files(_PACKAGE) / "templates" / "swagger" / folder / name
    return Response(file.read_bytes(), content_type=content_type)

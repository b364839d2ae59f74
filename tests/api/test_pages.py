"""The interactive documentation: it needs nothing from elsewhere. For `/` see test_landing.py."""

from __future__ import annotations

import re

import pytest

from tests.api.answers import bad
from tests.api.conftest import Client


def test_the_documentation_loads_only_its_own(client: Client) -> None:
    page = client.ask("GET", "/api/v1/docs")

    used = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert used
    for target in used:
        assert "//" not in target
        found = client.ask("GET", f"/api/v1/{target}")
        assert found.status_code == 200
        assert found.headers["Content-Type"].startswith(("text/css", "text/javascript"))
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    "name", ["nope.js", "..", "swagger-ui.css%00", "SWAGGER-UI.CSS", "%2e%2e%2f__init__.py"]
)
def test_there_are_no_other_files(client: Client, name: str) -> None:
    bad(client.ask("GET", f"/api/v1/docs/{name}"), 404, "not_found")

"""The routes of panels."""

from __future__ import annotations

from dataclasses import replace

from api.panels import routes, shapes
from clustersight import panels


def test_a_new_panel_has_a_route_without_another_line() -> None:
    new = replace(panels.ALL[0], name="newest")

    made = routes.with_the_rest(routes.ALL, [*panels.ALL, new])

    assert [route.panel.name for route in made[len(routes.ALL) :]] == ["newest"]
    assert made[-1].data == list[shapes.OpenRow]
    assert shapes.OpenRow.model_validate({"host": "h", "view": "v"}).model_dump() == {
        "host": "h",
        "view": "v",
    }

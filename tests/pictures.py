"""Makes docs/pictures anew, of the running demo: `python -m tests.pictures`, or of what runs at a URL."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from tests.servers.chromium import Chromium
from tests.servers.demo import DemoProcess
from tests.servers.process import free_port, wait_until

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
# How long ago the newest alert of the demo fired: then all of them are there.
SETTLED_SECONDS = 60
WAIT_SECONDS = 240.0
# A page of documentation is not to be heavy.
MOST_BYTES = 300_000


class ShownDemo(DemoProcess):
    """On ports that its configuration names, so that the page links to all of it."""

    def command(self) -> Sequence[str]:
        return [word.replace("127.0.0.1:0", f"127.0.0.1:{free_port()}") for word in super().command()]


def is_settled(url: str) -> bool:
    """Whether the alerts have fired, and the score is there."""
    fired = [datetime.fromisoformat(one["fired_at"]) for one in answer(url, "/alerts?limit=200")]
    overview = answer(url, "/overview")
    oldest_news = datetime.now(UTC) - timedelta(seconds=SETTLED_SECONDS)
    return bool(fired and max(fired) < oldest_news and all(one["grade"] for one in overview))


def answer(url: str, path: str) -> Any:
    return requests.get(f"{url}/api/v1{path}", timeout=10).json()["data"]


def take(chromium: Chromium, url: str) -> None:
    """Both pictures: a wide screen in daylight, a phone at night."""
    chromium.screen(1200, 900)
    chromium.visit(f"{url}/")
    keep("landing.png", chromium.picture(whole=True, most_height=1150))
    chromium.screen(375, 812, dark=True, mobile=True)
    chromium.visit(f"{url}/")
    keep("landing-phone.png", chromium.picture())


def keep(name: str, picture: bytes) -> None:
    if len(picture) > MOST_BYTES:
        sys.exit(f"{name} has {len(picture)} bytes, more than {MOST_BYTES}: show less of the page")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / name).write_bytes(picture)
    print(f"{name}: {len(picture)} bytes")


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        demo = ShownDemo(Path(folder) / "demo")
        try:
            if not arguments:
                demo.start()
            url = (arguments[0] if arguments else demo.told["api"]).rstrip("/")
            wait_until(lambda: is_settled(url), WAIT_SECONDS, "the demo's alerts fire")
            with Chromium(Path(folder) / "chromium") as chromium:
                take(chromium, url)
        finally:
            demo.stop()


if __name__ == "__main__":
    main(sys.argv[1:])

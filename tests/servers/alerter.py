"""The alerter as users run it: a process with a configuration file."""

from __future__ import annotations

import requests

from tests.servers.ours import OurProcess


class AlerterProcess(OurProcess):
    """`python -m alerter` on the store of its folder, unless the test says where."""

    section = "alerter"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **self.options)

    def reload(self) -> requests.Response:
        return requests.post(f"{self.url}/-/reload", timeout=60, **self.options)

    def is_ready(self) -> bool:
        """Whether it leads and has evaluated."""
        return self.ready() and self.get("/-/ready").ok

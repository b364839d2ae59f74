"""The whole chain of an incident: real servers, the exporter, one store, the alerter, and an inbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from clustersight.demo.rules import shortened
from clustersight.store import alerts
from clustersight.store.alerts import StoredAlert
from clustersight.store.database import Database, sqlite_url
from tests.conftest import running
from tests.incidents.shifted import ShiftedAlerter, ShiftedExporter
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until
from tests.servers.slack import SlackStub, texts

# As quick as the settings allow.
INTERVAL = 5
# From a fault to its message: a visit, the capped `for`, a pass, and a machine that has other things to do.
ARRIVES_SECONDS = 60.0
EVERY_PANEL_IN_EACH_VISIT = 1


def of_18(server: ClickHouse18, name: str, **more: Any) -> dict[str, Any]:
    """A cluster's configuration: ClickHouse 18.16, over its native protocol."""
    return {"name": name, "host": "127.0.0.1", "port": server.port, "protocol": "native", **more}


def of_26(server: EmbeddedServer, name: str, **more: Any) -> dict[str, Any]:
    """A cluster's configuration: ClickHouse 26.9, over HTTP, as a user of its own: panels skip theirs."""
    own = {"protocol": "http", "username": "clustersight"}
    return {"name": name, "host": "127.0.0.1", "port": server.port, **own, **more}


class Chain:
    """Exporter and alerter in a folder. Rules are the pack's, with at most `longest_for` seconds of `for`.

    `every_seconds`: how often the capped ones are evaluated. `shift_seconds` is how far the clocks of both
    processes are from everybody else's; `settings` are sections of the configuration beside its own.
    `longer` are seconds of `for` by rule, where it matters that one fires after another.
    """

    def __init__(
        self,
        folder: Path,
        stub: SlackStub,
        clusters: Sequence[Mapping[str, Any]],
        *,
        longest_for: int = 2,
        every_seconds: int = 1,
        shift_seconds: float = 0.0,
        settings: Mapping[str, Any] | None = None,
        longer: Mapping[str, int] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.stub = folder, stub
        self.rule_file = folder / "rules.yaml"
        rules = with_longer(shortened(longest_for, every_seconds), longer or {})
        self.rule_file.write_text(rules, encoding="utf-8")
        config = self._config(clusters) | dict(settings or {})
        self.exporter = ShiftedExporter(folder / "exporter", config, shift_seconds)
        self.alerter = ShiftedAlerter(folder / "alerter", config, shift_seconds)
        self._stack = ExitStack()

    def _config(self, clusters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        channel = {"name": "inbox", "kind": "slack", "url": self.stub.url}
        return {
            "data_dir": str(self.folder / "state"),
            "clusters": list(clusters),
            "collection": {
                "interval_sec": INTERVAL,
                "timeout_sec": 4,
                "tier2_every": EVERY_PANEL_IN_EACH_VISIT,
            },
            "rules": {"paths": [str(self.rule_file)]},
            "notify": {"allow_private": True, "channels": [channel]},
        }

    def start(self) -> None:
        """Wait until every node was visited once, and the alerter evaluates."""
        self._stack.enter_context(running(self.exporter))
        self.exporter.wait_collected()
        self.database = self._stack.enter_context(Database(sqlite_url(self.folder / "state")))
        self._stack.enter_context(running(self.alerter))
        self.alerter.wait_for(self.alerter.is_ready, "the alerter evaluates")

    def stop(self) -> None:
        self._stack.close()

    def move_clocks(self, shift_seconds: float) -> None:
        """End both processes and start them with their clocks elsewhere."""
        self.stop()
        self.exporter.shift_seconds = self.alerter.shift_seconds = shift_seconds
        self.start()

    # -- what became of it -----------------------------------------------------------------------------

    def alerts(self, rule: str | None = None) -> list[StoredAlert]:
        """All that are or were, or those of one rule; of two levels under the milder one's name."""
        with self.database.read() as db:
            found, _ = alerts.page(db, alerts.Wanted(since=0.0), 10_000, 0)
        return [one for one in found if rule in (None, one.rule_name)]

    def unresolved(self) -> list[StoredAlert]:
        return [one for one in self.alerts() if one.status != alerts.RESOLVED]

    def wait_alert(
        self,
        rule: str,
        holds: Callable[[StoredAlert], object] = lambda _: True,
        timeout_seconds: float = ARRIVES_SECONDS,
    ) -> StoredAlert:
        """The first alert of a rule of which this is true; fails with all that there are."""
        found: list[StoredAlert] = []

        def there() -> bool:
            found[:] = [one for one in self.alerts(rule) if holds(one)]
            return bool(found)

        try:
            wait_until(there, timeout_seconds, f"{rule} is so")
        except TimeoutError as error:
            raise AssertionError(f"{error}; there are {self.told()}\n{self.alerter.logs()}") from error
        return found[0]

    def told(self) -> list[tuple[Any, ...]]:
        """Every alert in short, for a test that fails."""
        return [
            (a.rule_name, a.severity, a.status, a.detail["labels"], a.detail["inhibited_by"])
            for a in self.alerts()
        ]

    # -- the inbox -------------------------------------------------------------------------------------

    def messages(self, *words: str) -> list[Message]:
        """Those that came and hold all of these words."""
        found = [Message(one.wall, one.body) for one in self.stub.received if one.is_delivered]
        return [one for one in found if all(word in one.text for word in words)]

    def wait_message(self, *words: str, timeout_seconds: float = ARRIVES_SECONDS) -> Message:
        """The first message with all of these words; fails with the titles of those that came."""
        try:
            wait_until(lambda: self.messages(*words), timeout_seconds, f"a message with {words}")
        except TimeoutError as error:
            titles = [one.body["text"] for one in self.messages()]
            raise AssertionError(f"{error}; inbox: {titles}; alerts: {self.told()}") from error
        return self.messages(*words)[0]


class Message:
    """A message of the inbox. `at` is when it came, in epoch seconds."""

    def __init__(self, at: float, body: Any) -> None:
        self.at, self.body = at, body

    @property
    def text(self) -> str:
        """All that it says, as a reader sees it."""
        return unescaped("\n".join(texts(self.body)))

    @property
    def fix(self) -> str:
        """What stands in the code block of the fix, to be copied."""
        _, _, block = self.text.partition("*Fix*\n```\n")
        return block.partition("\n```")[0]


def unescaped(text: str) -> str:
    """As Slack shows it, and copies it: https://api.slack.com/reference/surfaces/formatting#escaping."""
    for escape, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(escape, character)
    return text


def with_longer(rules: str, longer: Mapping[str, int]) -> str:
    """The rule file with other seconds of `for` for some of its rules."""
    document = yaml.safe_load(rules)
    for rule in document["groups"][0]["rules"]:
        rule["for"] = f"{longer[rule['alert']]}s" if rule["alert"] in longer else rule["for"]
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


@contextmanager
def watched(folder: Path, clusters: Sequence[Mapping[str, Any]], **options: Any) -> Iterator[Chain]:
    """A chain that runs, and its inbox."""
    with SlackStub() as stub:
        chain = Chain(folder, stub, clusters, **options)
        try:
            chain.start()
            yield chain
        finally:
            chain.stop()


def shown(detail: Mapping[str, Any]) -> str:
    """An alert's detail as text, for what must or must not be in it."""
    return json.dumps(detail, ensure_ascii=False)

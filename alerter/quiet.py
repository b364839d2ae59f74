"""Which alerts are not to be sent: silences and snoozes as they run, on the steady clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerter.steady import SteadyClock
from clustersight.alerts.silencing import matches
from clustersight.store.silences import StoredSilence


@dataclass(frozen=True, slots=True)
class Running:
    """A silence; `starts` and `ends` in steady seconds."""

    id: str
    matchers: Sequence[Mapping[str, str]]
    starts: float
    ends: float


@dataclass(slots=True)
class Silences:
    """Known silences keep the times of when they were first seen: a step of the clock moves none of them."""

    clock: SteadyClock
    running: dict[str, Running] = field(default_factory=dict)

    def follow(self, stored: Iterable[StoredSilence]) -> None:
        """Take over what the store holds; what was deleted is over."""
        self.running = {one.id: self.running.get(one.id) or self._new(one) for one in stored}

    def _new(self, stored: StoredSilence) -> Running:
        silence, now = stored.silence, self.clock.now()
        # What was made in the future was made before the clock was set back: it lasts as long as it was to.
        ahead = max(0.0, self.clock.of_wall(stored.created_at) - now)
        starts = self.clock.of_wall(silence.starts_at) - ahead
        return Running(stored.id, silence.matchers, starts, self.clock.of_wall(silence.ends_at) - ahead)

    def holding(self) -> list[Running]:
        """Those that hold now."""
        now = self.clock.now()
        return [one for one in self.running.values() if one.starts <= now < one.ends]


def silenced_by(holding: Sequence[Running], labels: Mapping[str, str]) -> str | None:
    """The id of a silence that holds for an alert with these labels, alertname and severity among them."""
    return next((one.id for one in holding if matches(one.matchers, labels)), None)

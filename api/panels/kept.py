"""Results of live runs: made once for all who wait, kept for CACHE_TTL; failures only for a moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from api.context import Context
from api.errors import ApiError, Unreachable
from api.flight import Flight
from api.live.following import Watched
from api.live.outages import FAILED_SECONDS
from api.live.rooms import RETRY_SECONDS, Crowded, Rooms
from api.panels.siblings import Siblings, name_of
from clustersight import __version__

ResultT = TypeVar("ResultT")

# Of the 32 threads of a worker; each waits 8 s where a server hangs.
MOST_WAITING = 8
_FAILURES = {kind.__name__: kind for kind in ApiError.__subclasses__()}


@dataclass(frozen=True, slots=True)
class Form(Generic[ResultT]):
    """A result as plain values, as which the workers of an API hand it to each other."""

    plain: Callable[[ResultT], Any]
    read: Callable[[Any], ResultT]


@dataclass(frozen=True, slots=True)
class _Kept(Generic[ResultT]):
    until: float
    of: object
    result: ResultT | None
    failure: ApiError | None


class Kept(Generic[ResultT]):
    """By cluster and panel. Thread safe."""

    def __init__(self, context: Context, form: Form[ResultT]) -> None:
        self._seconds = context.settings.api.cache_ttl_sec
        self._monotonic = context.clock.monotonic
        self._siblings = Siblings(context.store.folder, self._seconds, self._monotonic)
        self._rooms = context.of(Rooms)
        self._form = form
        self._flight: Flight[ResultT] = Flight()
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept[ResultT]] = {}

    def find(self, watched: Watched, panel: str) -> ResultT | None:
        """What is kept of the cluster as it is watched now."""
        kept = self._valid(watched, panel)
        return kept.result if kept is not None else self._of_siblings(watched, panel)

    def _valid(self, watched: Watched, panel: str) -> _Kept[ResultT] | None:
        kept = self._kept.get((watched.id, panel))
        if kept is None or self._monotonic() >= kept.until or not _same(kept.of, watched.own):
            return None
        return kept

    def make(self, watched: Watched, panel: str, work: Callable[[], ResultT]) -> ResultT:
        """Work, or wait for whoever does. Raises what `work` raises, or raised a moment ago,

        and Unreachable where too many wait for this cluster already.
        """
        kept = self._valid(watched, panel)
        if kept is not None and kept.failure is not None:
            raise copy(kept.failure)
        try:
            with self._rooms.room(("live", watched.id), MOST_WAITING):
                return self._flight.do((watched.id, panel), lambda: self._made(watched, panel, work))
        except Crowded:
            raise _crowded(watched) from None

    def _made(self, watched: Watched, panel: str, work: Callable[[], ResultT]) -> ResultT:
        name = _name(watched, panel)
        with self._siblings.turn(name):
            found = self._of_siblings(watched, panel)
            if found is not None:
                return found
            kept = self._valid(watched, panel)
            if kept is not None and kept.failure is not None:
                raise copy(kept.failure)
            try:
                result = work()
            except ApiError as error:
                seconds = min(FAILED_SECONDS, self._seconds)
                self._siblings.write(name, {"failure": _plain_failure(error)}, seconds)
                self._put(watched, panel, seconds, None, error)
                raise
            if self._seconds:
                self._siblings.write(name, {"result": self._form.plain(result)})
        self._put(watched, panel, self._seconds, result, None)
        return result

    def _of_siblings(self, watched: Watched, panel: str) -> ResultT | None:
        """The result; a failure is kept, and None."""
        found = self._siblings.read(_name(watched, panel))
        if found is None:
            return None
        at, value = found
        age = self._monotonic() - at
        if "failure" in value:
            left = min(FAILED_SECONDS, self._seconds) - age
            self._put(watched, panel, left, None, _read_failure(value["failure"]))
            return None
        result = self._form.read(value["result"])
        self._put(watched, panel, self._seconds - age, result, None)
        return result

    def _put(
        self, watched: Watched, panel: str, seconds: float, result: ResultT | None, failure: ApiError | None
    ) -> None:
        now = self._monotonic()
        with self._lock:
            self._kept = {key: one for key, one in self._kept.items() if one.until > now}
            self._kept[watched.id, panel] = _Kept(now + seconds, watched.own, result, failure)


def _crowded(watched: Watched) -> Unreachable:
    return Unreachable(
        f"{watched.name} does not answer in time, and others wait for it already; try again in a moment",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def _plain_failure(error: ApiError) -> dict[str, Any]:
    return {"kind": type(error).__name__, "message": error.message, "code": error.code}


def _read_failure(plain: dict[str, Any]) -> ApiError:
    return _FAILURES[plain["kind"]](plain["message"], code=plain["code"])


def _same(one: object, other: object) -> bool:
    return one is other or one == other


def _name(watched: Watched, panel: str) -> str:
    """Another host, port or user is another result; secrets are masked here, and change nothing."""
    # A file of another release has another form.
    return name_of(
        __version__, watched.id, panel, watched.own.model_dump_json() if watched.own is not None else ""
    )

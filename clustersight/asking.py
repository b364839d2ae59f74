"""The questions of one visit: each asked once, all within its deadline, those to Keeper never twice."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from clustersight.clickhouse import errors
from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.session import Session
from clustersight.collection import Clock, Watch

# A hung Keeper ignores max_execution_time; three seconds without an answer is Keeper offline.
KEEPER_TIMEOUT_SECONDS = 3.0
KEEPER_QUERY_ID = "clustersight-keeper-"
# A Keeper that is well answers within milliseconds.
LOOK_AGAIN_SECONDS = 0.2


class Asking:
    """`queries` and `read_rows` count what was really asked; whoever reads them may set them back."""

    def __init__(self, watch: Watch, deadline_seconds: float, clock: Clock) -> None:
        self._watch = watch
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._ends = clock.monotonic() + deadline_seconds
        self._answers: dict[str, Result | errors.ClickHouseError] = {}
        self.queries = 0
        self.read_rows = 0

    def query(self, sql: str, timeout_seconds: float, values: dict[str, Any]) -> Result:
        """Each statement is run once a visit; a failure is remembered as well."""
        key = sql + repr(sorted(values.items()))

        def send(seconds: float) -> Result:
            return self._watch.session.query(sql, timeout_seconds=seconds, **values)

        return self._once(key, timeout_seconds, send)

    def statement(
        self, text: str, timeout_seconds: float, settings: Mapping[str, Any], *, asks_keeper: bool
    ) -> Result:
        """A stranger's statement as it is, read-only; as a question to Keeper where it may be one."""
        if asks_keeper:
            return self._ask_keeper(
                lambda session, seconds, identity: session.run_read_only(
                    text, timeout_seconds=seconds, settings=settings, query_id=identity
                )
            )

        def send(seconds: float) -> Result:
            return self._watch.session.run_read_only(text, timeout_seconds=seconds, settings=settings)

        return self._once(f"statement {text}", timeout_seconds, send)

    def _once(self, key: str, timeout_seconds: float, send: Callable[[float], Result]) -> Result:
        if key not in self._answers:
            self._answers[key] = self._ask(timeout_seconds, send)
        answer = self._answers[key]
        if isinstance(answer, errors.ClickHouseError):
            raise answer
        return answer

    def _ask(
        self, timeout_seconds: float, send: Callable[[float], Result]
    ) -> Result | errors.ClickHouseError:
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            return errors.TimedOut(f"the collection's {self._deadline_seconds:g} s were used up before")
        try:
            self.queries += 1
            result = send(min(timeout_seconds, left))
        except errors.ClickHouseError as error:
            return error
        self.read_rows += result.read_rows
        return result

    def keeper_query(self, sql: str, **values: Any) -> Result:
        """Raises TimedOut when Keeper hangs, also while an earlier query of ours still does."""
        return self._ask_keeper(
            lambda session, seconds, identity: session.query(
                sql, timeout_seconds=seconds, query_id=identity, **values
            )
        )

    def _ask_keeper(self, send: Callable[[Session, float, str], Result]) -> Result:
        watch = self._watch
        if self._keeper_is_busy():
            raise errors.TimedOut("an earlier question to Keeper has not been answered yet")
        watch.keeper_session.adopt(watch.session.known)
        self.queries += 1
        identity = f"{KEEPER_QUERY_ID}{watch.node.host}-{math.floor(self._clock.monotonic() * 1000)}"
        # Until it is answered: the server goes on waiting after we gave up or the connection broke, and
        # the next visit looks before it asks again.
        watch.keeper_in_doubt = True
        try:
            result = send(watch.keeper_session, KEEPER_TIMEOUT_SECONDS, identity)
        except errors.ClickHouseError as error:
            watch.keeper_in_doubt = not error.answered or isinstance(error, errors.TimedOut)
            raise
        watch.keeper_in_doubt = False
        self.read_rows += result.read_rows
        return result

    def _keeper_is_busy(self) -> bool:
        """Whether a question of ours is there: one that hangs, not one that is just being answered."""
        watch = self._watch
        if not (watch.keeper_in_doubt or watch.shares_keeper) or not self._looks_busy():
            return False
        if not watch.shares_keeper:
            return True
        threading.Event().wait(LOOK_AGAIN_SECONDS)
        return self._looks_busy()

    def _looks_busy(self) -> bool:
        return self._watch.session.still_runs(KEEPER_QUERY_ID, KEEPER_TIMEOUT_SECONDS)

"""Several errands side by side, bounded in time as a whole: one that hangs holds up nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
# As many connections at once as the exporter's default number of workers.
AT_ONCE = 16


def run_all(errands: Sequence[Callable[[], T]], seconds: float) -> list[T | None]:
    """What each returned, in order; None for those that had not after `seconds`. Raises what one raised."""
    results: list[T | None] = [None] * len(errands)
    raised: list[BaseException] = []
    places = threading.Semaphore(AT_ONCE)
    ends = time.monotonic() + seconds

    def run(number: int) -> None:
        if places.acquire(timeout=max(0.0, ends - time.monotonic())):
            try:
                results[number] = errands[number]()
            except BaseException as error:  # noqa: BLE001 - it is raised again by the thread that waits
                raised.append(error)
            finally:
                places.release()

    # Daemons, never joined for longer: looking up a name has no timeout.
    threads = [threading.Thread(target=run, args=[n], daemon=True) for n in range(len(errands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    if raised:
        raise raised[0]
    return list(results)

"""`Timers`: calls functions on the main thread at given times of the loader's clock."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["Timers"]

# The most calls in one frame; further ones run in the next frame.
_MOST_AT_ONCE: Final = 200


class Timers:
    """Priority queue of calls by the time at which they are due.

    Calls are added in any thread, and run in the main thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def add(self, when: float, call: Callable[[], None]) -> None:
        """Schedules a call for a time of the loader's clock, in seconds. Any thread."""
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._numbers), call))

    def run(self, now: float) -> int:
        """Runs the calls that are due, at most 200. Returns their number. Main thread."""
        count = 0
        while self._heap and count < _MOST_AT_ONCE:
            with self._lock:
                if not self._heap or self._heap[0][0] > now:
                    break
                call = heapq.heappop(self._heap)[2]
            call()
            count += 1
        return count

    def clear(self) -> None:
        """Drops all calls."""
        with self._lock:
            self._heap.clear()

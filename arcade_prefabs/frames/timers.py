"""Things that are due later, on the loader's clock."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["Timers"]

# In one frame; the others come in the next.
_MOST_AT_ONCE: Final = 200


class Timers:
    """Calls that are due at some time. Added in any thread, run in the main thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def add(self, when: float, call: Callable[[], None]) -> None:
        """Have something called at a time of the loader's clock."""
        with self._lock:
            heapq.heappush(self._heap, (when, next(self._numbers), call))

    def run(self, now: float) -> int:
        """Call what is due; gives how many."""
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
        """Forget everything."""
        with self._lock:
            self._heap.clear()

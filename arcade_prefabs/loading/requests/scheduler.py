"""`LoadScheduler`: which load is next, and how many may be under way."""

from __future__ import annotations

import heapq
import itertools

from .asset_record import LoadAttempt

__all__ = ["LoadScheduler"]

_Item = tuple[int, int, int, LoadAttempt]


class LoadScheduler:
    """A queue of loads, the most urgent first, that lets a limited number and size start.

    There are two heaps: loads that have not begun, which the limits hold back, and loads that
    have, but made room for a more urgent one after one of their pages. Those are within the
    limits already, so they can always go on: or a queue full of them would wait for itself.

    Args:
        most: Loads in attempt: from the beginning of reading until they are ready.
        most_bytes: Bytes of those; a single larger one may fly alone.

    Attributes:
        in_flight: Loads in attempt.
        bytes_in_flight: Bytes of those, as far as is known.
        most_in_flight: The highest number so far.
        most_flying_bytes: The highest number of bytes so far.
        started: Loads that began.

    All methods are called under the loader's lock.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.in_flight = 0
        self.bytes_in_flight = 0
        self.most_in_flight = 0
        self.most_flying_bytes = 0
        self.started = 0
        self._fresh: list[_Item] = []
        self._begun: list[_Item] = []
        self._turns = itertools.count(1)
        self._waiting: dict[LoadAttempt, None] = {}
        self._usual = 4096.0  # bytes of a load of which nothing is known: the mean of the others

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, attempt: LoadAttempt) -> None:
        """Add a load, or give one its new place after its urgency changed."""
        record = attempt.record
        attempt.turn = next(self._turns)
        attempt.queued = True
        self._waiting[attempt] = None
        heap = self._begun if attempt.counted else self._fresh
        heapq.heappush(heap, (-record.priority, record.age, attempt.turn, attempt))
        if len(heap) > 64 and len(heap) > 4 * len(self._waiting):
            # Places that are out of date outnumber the others.
            heap[:] = [item for item in heap if item[3].queued and item[3].turn == item[2]]
            heapq.heapify(heap)

    def remove(self, attempt: LoadAttempt) -> bool:
        """Take a load out of the queue; False if it was not there."""
        self._waiting.pop(attempt, None)
        was, attempt.queued = attempt.queued, False
        return was

    def take(self) -> LoadAttempt | None:
        """The load whose turn it is; it counts as in attempt from now on."""
        fresh, begun = self._top(self._fresh), self._top(self._begun)
        if fresh is not None and (begun is None or fresh < begun) and self._admits(fresh[3]):
            heapq.heappop(self._fresh)
            attempt = fresh[3]
            attempt.counted = True
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.started += 1
            self._grow(attempt, round(attempt.record.size or self._usual))
        elif begun is not None:
            heapq.heappop(self._begun)
            attempt = begun[3]
        else:
            return None
        attempt.queued = False
        del self._waiting[attempt]
        return attempt

    def sized(self, attempt: LoadAttempt, size: int) -> None:
        """Note how large a load turned out to be."""
        self._usual += (size - self._usual) * 0.05
        if attempt.counted:
            self._grow(attempt, size - attempt.size)

    def release(self, attempt: LoadAttempt) -> None:
        """Note that a load is not in attempt any more."""
        if attempt.counted:
            attempt.counted = False
            self.in_flight -= 1
            self.bytes_in_flight -= attempt.size
            attempt.size = 0

    def _grow(self, attempt: LoadAttempt, size: int) -> None:
        attempt.size += size
        self.bytes_in_flight += size
        self.most_flying_bytes = max(self.most_flying_bytes, self.bytes_in_flight)

    def _admits(self, attempt: LoadAttempt) -> bool:
        if not self.in_flight:
            return True
        size = attempt.record.size or self._usual
        return self.in_flight < self.most and self.bytes_in_flight + size <= self.most_bytes

    @staticmethod
    def _top(heap: list[_Item]) -> _Item | None:
        while heap:
            item = heap[0]
            if item[3].queued and item[3].turn == item[2]:
                return item
            heapq.heappop(heap)
        return None

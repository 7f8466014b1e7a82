"""`LoadScheduler`: chooses the next load, and limits the number and bytes of loads in flight."""

from __future__ import annotations

import heapq
import itertools

from .asset_record import LoadAttempt

__all__ = ["LoadScheduler"]

_Item = tuple[int, int, int, LoadAttempt]


class LoadScheduler:
    """Priority queue of loads that limits how many are in flight.

    A load is in flight from the beginning of reading until its main-thread commit. There are two
    heaps: one of loads that have not begun, which the limits hold back, and one of loads that were
    suspended between two pages. Suspended loads count against the limits already, so they may
    always go on; otherwise a queue full of them could never advance.

    Args:
        most: The most loads in flight.
        most_bytes: The most bytes of loads in flight; a single larger load may be in flight alone.

    Attributes:
        in_flight: The number of loads in flight.
        bytes_in_flight: The bytes of those; the mean size counts for a load that was not read yet.
        most_in_flight: The largest number so far.
        most_flying_bytes: The largest number of bytes so far.
        started: The number of loads that have begun.

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
        self._usual = 4096.0  # moving mean of the bytes of loads, for those not read yet

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, attempt: LoadAttempt) -> None:
        """Queues a load, or moves a queued one after its urgency changed."""
        record = attempt.record
        attempt.turn = next(self._turns)
        attempt.queued = True
        self._waiting[attempt] = None
        heap = self._begun if attempt.counted else self._fresh
        heapq.heappush(heap, (-record.priority, record.age, attempt.turn, attempt))
        if len(heap) > 64 and len(heap) > 4 * len(self._waiting):
            # Most entries are outdated: remove them.
            heap[:] = [item for item in heap if item[3].queued and item[3].turn == item[2]]
            heapq.heapify(heap)

    def remove(self, attempt: LoadAttempt) -> bool:
        """Removes a load from the queue; False if it was not queued."""
        self._waiting.pop(attempt, None)
        was, attempt.queued = attempt.queued, False
        return was

    def take(self) -> LoadAttempt | None:
        """Returns the most urgent load that the limits admit, now in flight; or None."""
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
        """Sets the bytes of a load, once it is decoded."""
        self._usual += (size - self._usual) * 0.05
        if attempt.counted:
            self._grow(attempt, size - attempt.size)

    def release(self, attempt: LoadAttempt) -> None:
        """Counts a load as not in flight any more."""
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

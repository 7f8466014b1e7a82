"""`GarbageScheduler`: moves pauses of Python's garbage collector into idle time between frames.

CPython stops all Python code to look for cycles of objects that refer to each other: for 14 ms with
Arcade alone imported, for 65 ms with 200,000 objects. It does so whenever enough objects were made,
in the middle of any frame, and such a pause is a late frame.

The way taken, if the game asks for it: the thresholds of the collector are raised twentyfold and
more, and after each frame a generation that is due is collected, if its usual pause fits into the
time until the next frame.

Ways not taken:

- `gc.disable`. Memory of cycles would grow without limit in a game that leaves no idle time; with
  raised thresholds, the interpreter still collects in the end.
- Taking over without being asked. Thresholds belong to the whole process, and so to the game.
- `gc.freeze` at the start. It keeps long-lived objects out of collections, but also objects that
  become garbage soon after. Only the game knows when to call `GarbageScheduler.freeze`: at the end
  of a loading screen.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Collector", "GarbageScheduler"]

# The expected pause of each generation before the first measurement, in seconds.
_FIRST_S: Final = (0.0002, 0.002, 0.02)
# The weight of the newest pause in the expected one.
_EASE: Final = 0.3
# Generation 2 is collected in any case once it is due this many times over; and, times ten, the
# interpreter collects by itself. It happens if frames have stopped, or never leave idle time:
# memory must not grow without limit.
_LATE: Final = 20


class Collector(Protocol):
    """The functions of the module ``gc`` that the scheduler uses."""

    def collect(self, generation: int = 2) -> int:
        """Collects a generation and all younger ones, as `gc.collect`."""
        ...

    def get_count(self) -> tuple[int, int, int]:
        """Returns the counts of the generations, as `gc.get_count`."""
        ...

    def get_threshold(self) -> tuple[int, int, int]:
        """Returns the thresholds of the generations, as `gc.get_threshold`."""
        ...

    def set_threshold(self, first: int, second: int, third: int, /) -> None:
        """Sets the thresholds of the generations, as `gc.set_threshold`."""
        ...

    def freeze(self) -> None:
        """Keeps all present objects out of later collections, as `gc.freeze`."""
        ...

    def unfreeze(self) -> None:
        """Undoes all calls of `freeze`, as `gc.unfreeze`."""
        ...

    def get_freeze_count(self) -> int:
        """Returns the number of frozen objects, as `gc.get_freeze_count`."""
        ...


class GarbageScheduler:
    """Runs the garbage collector in idle time, if ``take_over`` is set; otherwise does nothing.

    The pauses of the collector are in `FrameMonitor.pauses`.

    Example:
        >>> with GarbageScheduler(take_over=True) as garbage:
        ...     seconds = garbage.idle(0.002)  # after a frame: 2 ms are left

    Args:
        take_over: Whether to collect in idle time only. The collector's thresholds are raised, and
            restored by `close`, which changes the whole process.
        clock: Returns seconds.
        collector: The module ``gc``, or a fake for tests.

    Main thread.
    """

    def __init__(
        self,
        *,
        take_over: bool = False,
        clock: Callable[[], float] = time.perf_counter,
        collector: Collector | None = None,
    ) -> None:
        self._take_over = take_over
        self._clock = clock
        self._gc: Collector = gc if collector is None else collector
        self._attached = False
        self._frozen = False
        self._thresholds = (700, 10, 10)
        self._expected = list(_FIRST_S)

    def attach(self) -> GarbageScheduler:
        """Raises the collector's thresholds, if ``take_over`` is set. May be called twice.

        Raises:
            RuntimeError: Another garbage scheduler has raised them already.
        """
        if self._attached:
            return self
        if self._take_over:
            first, second, third = self._gc.get_threshold()
            if first > 0 and second > 1_000_000:
                raise RuntimeError("another garbage scheduler has taken over: close it before")
            self._thresholds = (first, second, third)
            if first:  # 0: the game has switched the collector off
                # The second number marks the thresholds as taken over. It has no other effect: the
                # interpreter looks at older generations only when generation 0 is due.
                self._gc.set_threshold(first * _LATE * 10, 1_000_001, third)
        self._attached = True
        return self

    def close(self) -> None:
        """Restores the thresholds, and thaws what `freeze` has frozen. May be called twice."""
        if not self._attached:
            return
        self._attached = False
        if self._take_over:
            self._gc.set_threshold(*self._thresholds)
        if self._frozen:
            self._frozen = False
            self._gc.unfreeze()

    def __enter__(self) -> GarbageScheduler:
        return self.attach()

    def detach(self) -> None:
        """Calls `close`; the former name of it."""
        self.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def idle(self, seconds_left: float) -> float:
        """Collects the oldest generation that is due and is expected to fit into the idle time.

        Called after a frame was drawn. Does nothing without ``take_over``.

        Args:
            seconds_left: The idle time until the next frame, in seconds.

        Returns:
            The seconds that the collection took; 0 if there was none.
        """
        if not (self._attached and self._take_over) or not self._thresholds[0]:
            return 0.0
        counts, limits = self._gc.get_count(), self._thresholds
        if counts[0] <= limits[0]:
            return 0.0
        # As the interpreter does: the count of a generation is the number of collections of the
        # next younger one since its own last collection.
        generation = 0
        if counts[1] >= limits[1]:
            generation = 2 if counts[2] >= limits[2] else 1
        while generation >= 0 and self._expected[generation] > seconds_left:
            if generation == 2 and counts[2] > limits[2] * _LATE:
                break  # overdue: collect it although it does not fit
            generation -= 1
        if generation < 0:
            return 0.0
        before = self._clock()
        self._gc.collect(generation)
        seconds = self._clock() - before
        self._expected[generation] += (seconds - self._expected[generation]) * _EASE
        return seconds

    def freeze(self) -> int:
        """Collects all garbage once, and keeps all remaining objects out of later collections.

        For the end of a loading screen: the loaded objects live long, and later collections need
        no time for them. Cycles among them that become garbage are freed after `close`.

        Returns:
            The number of objects that were frozen.
        """
        self._gc.collect()
        before = self._gc.get_freeze_count()
        self._gc.freeze()
        # `unfreeze` thaws all objects of the process, so `close` calls it only if the game had
        # frozen none before.
        self._frozen = self._frozen or before == 0
        return self._gc.get_freeze_count() - before

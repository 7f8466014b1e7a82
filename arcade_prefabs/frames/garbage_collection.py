"""`GarbageScheduler`: the garbage collector's pauses, moved to where nobody feels them.

CPython stops everything to look for circles of objects: 14 ms with Arcade alone imported, 65 ms
with 200,000 objects, whenever enough of them were made. That is a frame or more, at any moment.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["Collector", "GarbageScheduler"]

# What a collection is expected to take before there was one, and the weight of the newest.
_FIRST_S: Final = (0.0002, 0.002, 0.02)
_EASE: Final = 0.3
# With manners, the interpreter collects by itself only if so many times more objects were made
# than usual: frames have stopped, or never leave the time. Memory must not grow for ever.
_LATE: Final = 20


class Collector(Protocol):
    """What is used of the module ``gc``."""

    def collect(self, generation: int = 2) -> int:
        """See ``gc``."""
        ...

    def get_count(self) -> tuple[int, int, int]:
        """See ``gc``."""
        ...

    def get_threshold(self) -> tuple[int, int, int]:
        """See ``gc``."""
        ...

    def set_threshold(self, first: int, second: int, third: int, /) -> None:
        """See ``gc``."""
        ...

    def freeze(self) -> None:
        """See ``gc``."""
        ...

    def unfreeze(self) -> None:
        """See ``gc``."""
        ...

    def get_freeze_count(self) -> int:
        """See ``gc``."""
        ...


class GarbageScheduler:
    """Decides when the garbage collector works, if it is asked to.

    The pauses of the collector are in `FrameMonitor.pauses`.

    Example:
        >>> with GarbageScheduler(take_over=True) as garbage:
        ...     seconds = garbage.idle(0.002)  # after a frame: 2 ms are left

    Args:
        take_over: Collect in idle time only. The collector's thresholds are raised, and restored
            by `detach`. A choice of the game's: it changes how the whole process behaves.
        clock: Seconds.
        collector: The module ``gc``; another one for tests.

    Main thread, unless it says otherwise.
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
        """Take over, if it was told to; may be called twice.

        Raises:
            RuntimeError: Somebody else has taken over already.
        """
        if self._attached:
            return self
        if self._take_over:
            first, second, third = self._gc.get_threshold()
            if first > 0 and second > 1_000_000:
                raise RuntimeError("other garbage manners have taken over: close them before")
            self._thresholds = (first, second, third)
            if first:  # a game that has switched the collector off wants it off
                # The second number marks that somebody took over. Generation 0 is what the
                # interpreter looks at first: with it this large, the others never come up.
                self._gc.set_threshold(first * _LATE * 10, 1_000_001, third)
        self._attached = True
        return self

    def close(self) -> None:
        """Leave everything as it was before `attach`; may be called twice."""
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
        """The old word for `close`."""
        self.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    def idle(self, seconds_left: float) -> float:
        """Collect what is due, as far as it is expected to fit in; gives the seconds it took.

        Called after a frame was drawn. Does nothing unless it was told to take over.
        """
        if not (self._attached and self._take_over) or not self._thresholds[0]:
            return 0.0
        counts, limits = self._gc.get_count(), self._thresholds
        if counts[0] <= limits[0]:
            return 0.0
        # As the interpreter does: the second number counts collections of the first, and so on.
        generation = 0
        if counts[1] >= limits[1]:
            generation = 2 if counts[2] >= limits[2] else 1
        while generation >= 0 and self._expected[generation] > seconds_left:
            if generation == 2 and counts[2] > limits[2] * _LATE:
                break  # it cannot wait any longer
            generation -= 1
        if generation < 0:
            return 0.0
        before = self._clock()
        self._gc.collect(generation)
        seconds = self._clock() - before
        self._expected[generation] += (seconds - self._expected[generation]) * _EASE
        return seconds

    def freeze(self) -> int:
        """Collect everything once, then never look at what is left again; gives how many it is.

        For the end of a loading screen: what was loaded by then lives long, and later collections
        take no time for it. What becomes garbage in circles among it is freed after `detach`.
        """
        self._gc.collect()
        before = self._gc.get_freeze_count()
        self._gc.freeze()
        # Taking it back thaws everything, so only if nobody else had frozen anything.
        self._frozen = self._frozen or before == 0
        return self._gc.get_freeze_count() - before

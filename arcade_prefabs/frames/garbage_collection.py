"""`GarbageScheduler`: the garbage collector's pauses, seen, and moved to where nobody feels them.

CPython stops everything to look for circles of objects: 14 ms with Arcade alone imported, 65 ms
with 200,000 objects, whenever enough of them were made. That is a frame or more, at any moment.
"""

from __future__ import annotations

import gc
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

__all__ = ["Collector", "CollectorPause", "GarbageScheduler", "GarbageStatistics"]

GENERATIONS: Final = 3
# What a collection is expected to take before there was one, and the weight of the newest.
_FIRST_S: Final = (0.0002, 0.002, 0.02)
_EASE: Final = 0.3
# With manners, the interpreter collects by itself only if so many times more objects were made
# than usual: frames have stopped, or never leave the time. Memory must not grow for ever.
_LATE: Final = 20


class Collector(Protocol):
    """What is used of the module ``gc``."""

    callbacks: list[Callable[[str, dict[str, int]], Any]]

    def collect(self, generation: int = 2) -> int:
        """See ``gc``."""
        ...

    def get_count(self) -> tuple[int, int, int]:
        """See ``gc``."""
        ...

    def get_threshold(self) -> tuple[int, int, int]:
        """See ``gc``."""
        ...

    def set_threshold(self, first: int, second: int, third: int) -> None:
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


class CollectorPause(NamedTuple):
    """One collection, during which no Python code ran.

    Attributes:
        generation: 0 for the youngest objects, 2 for all.
        seconds: How long it took.
        collected: Objects that it freed.
        uncollectable: Objects that it could not free.
        idle: Whether `GarbageScheduler.idle` started it; otherwise the interpreter did, or somebody
            who called ``gc.collect``.
    """

    generation: int
    seconds: float
    collected: int
    uncollectable: int
    idle: bool


class GarbageStatistics(NamedTuple):
    """What the collector did while it was watched, by generation.

    Attributes:
        pauses: How many there were.
        seconds: How long all of them took.
        longest: The longest one, in seconds.
    """

    pauses: tuple[int, int, int]
    seconds: tuple[float, float, float]
    longest: tuple[float, float, float]


class GarbageScheduler:
    """Watches the garbage collector, and, if it is asked to, decides when it works.

    Example:
        >>> with GarbageScheduler() as manners:
        ...     _ = gc.collect()
        >>> manners.report()[-1].generation
        2

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
        self._gc: Collector = gc if collector is None else collector  # type: ignore[assignment]
        self._attached = False
        self._idle = False
        self._frozen = False
        self._thresholds = (700, 10, 10)
        self._started = threading.local()
        self._pauses: deque[CollectorPause] = deque(maxlen=1000)
        self._expected = list(_FIRST_S)
        self._count = [0] * GENERATIONS
        self._seconds = [0.0] * GENERATIONS
        self._longest = [0.0] * GENERATIONS

    def attach(self) -> GarbageScheduler:
        """Begin to watch; may be called twice.

        Raises:
            RuntimeError: Somebody else has taken over already.
        """
        if self._attached:
            return self
        if self._take_over:
            first, second, third = self._gc.get_threshold()
            if first > 0 and second > 1_000_000:
                raise RuntimeError("other garbage manners have taken over: detach them before")
            self._thresholds = (first, second, third)
            if first:  # a game that has switched the collector off wants it off
                # The second number marks that somebody took over. Generation 0 is what the
                # interpreter looks at first: with it this large, the others never come up.
                self._gc.set_threshold(first * _LATE * 10, 1_000_001, third)
        self._gc.callbacks.append(self._told)
        self._attached = True
        return self

    def detach(self) -> None:
        """Leave everything as it was before `attach`; may be called twice."""
        if not self._attached:
            return
        self._attached = False
        self._gc.callbacks.remove(self._told)
        if self._take_over:
            self._gc.set_threshold(*self._thresholds)
        if self._frozen:
            self._frozen = False
            self._gc.unfreeze()

    def __enter__(self) -> GarbageScheduler:
        return self.attach()

    def __exit__(self, *_: object) -> None:
        self.detach()

    def _told(self, phase: str, info: dict[str, int]) -> None:
        # Runs inside the collector, in whichever thread made the object that was too many: no
        # lock, no exception, as little as can be. A signal that comes during a collection of the
        # main thread is handled at the first line of Python after it, which is this one: what its
        # handler raises (Ctrl-C, the time limit of a test) is told by `sys.unraisablehook`, and
        # ends nothing. No code in here could catch it: Python looks for signals before it.
        if phase == "start":
            self._started.at = self._clock()
            return
        seconds = self._clock() - getattr(self._started, "at", self._clock())
        generation = info.get("generation", 0)
        pause = CollectorPause(
            generation, seconds, info.get("collected", 0), info.get("uncollectable", 0), self._idle
        )
        self._pauses.append(pause)
        if 0 <= generation < GENERATIONS:
            self._count[generation] += 1
            self._seconds[generation] += seconds
            self._longest[generation] = max(self._longest[generation], seconds)
            self._expected[generation] += (seconds - self._expected[generation]) * _EASE

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
        self._idle = True
        try:
            self._gc.collect(generation)
        finally:
            self._idle = False
        return self._clock() - before

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

    def report(self) -> list[CollectorPause]:
        """The pauses since the last call, the oldest first; at most the last 1000."""
        pauses: list[CollectorPause] = []
        while self._pauses:
            pauses.append(self._pauses.popleft())
        return pauses

    def statistics(self) -> GarbageStatistics:
        """What was seen so far. Any thread."""
        count, seconds, longest = self._count, self._seconds, self._longest
        return GarbageStatistics(
            (count[0], count[1], count[2]),
            (seconds[0], seconds[1], seconds[2]),
            (longest[0], longest[1], longest[2]),
        )

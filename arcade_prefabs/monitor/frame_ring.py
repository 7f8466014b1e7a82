"""`FrameRecord` and `FrameRing`: what was measured of each of the last frames."""

from __future__ import annotations

import enum
from array import array
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

__all__ = ["NO_JOBS", "PHASES", "FrameRecord", "FrameRing", "GarbagePause", "JobSeconds", "Phase"]

JobSeconds: TypeAlias = Mapping[str, float]


class Phase(enum.IntEnum):
    """The parts of a frame. Every moment of it belongs to one of them.

    Attributes:
        WAIT: Between the frame and the next one's work: idle time, what the window system and
            functions of `arcade.schedule` take.
        UPDATE: The game's handlers of ``on_update``, ``on_fixed_update``, keys and mouse.
        PLUGIN: The plugin's own work on the main thread.
        DRAW: The game's ``on_draw``.
        FLIP: Showing the frame: OpenGL, the driver, the display.
        GARBAGE: Python's garbage collector, wherever it came in between.
    """

    WAIT = 0
    UPDATE = 1
    PLUGIN = 2
    DRAW = 3
    FLIP = 4
    GARBAGE = 5


PHASES: Final = len(Phase)
NO_JOBS: Final[JobSeconds] = {}


class FrameRecord(NamedTuple):
    """What was measured of one frame, from its beginning to that of the next one; in seconds.

    Attributes:
        number: Counted from 0, since the monitor began.
        at: When it ended, and the next one began, in seconds of the monitor's clock.
        interval: How long it lasted.
        wait: See `Phase`.
        update: See `Phase`.
        plugin: See `Phase`.
        draw: See `Phase`.
        flip: See `Phase`.
        garbage: See `Phase`.
        jobs: What of ``plugin`` was which kind of job.
    """

    number: int
    at: float
    interval: float
    wait: float
    update: float
    plugin: float
    draw: float
    flip: float
    garbage: float
    jobs: JobSeconds

    @property
    def work(self) -> float:
        """Seconds that were no waiting."""
        return self.interval - self.wait


class GarbagePause(NamedTuple):
    """A pause of Python's garbage collector: when it ended, seconds, generation."""

    at: float
    seconds: float
    generation: int


class FrameRing:
    """The last frames, in a fixed amount of memory: 56 bytes each, and their jobs.

    Args:
        capacity: How many.

    Attributes:
        count: How many came so far, those included that are forgotten.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.count = 0
        self._at = array("d", bytes(8 * capacity))
        self._phases = tuple(array("d", bytes(8 * capacity)) for _ in range(PHASES))
        self._jobs: list[JobSeconds] = [NO_JOBS] * capacity

    def __len__(self) -> int:
        return min(self.count, self.capacity)

    def add(self, at: float, spent: list[float], jobs: JobSeconds) -> None:
        """Remember a frame: when it ended, and seconds by phase."""
        place = self.count % self.capacity
        self._at[place] = at
        zero, one, two, three, four, five = self._phases
        zero[place], one[place], two[place], three[place], four[place], five[place] = spent
        self._jobs[place] = jobs
        self.count += 1

    def clear(self) -> None:
        """Forget all of them."""
        self.count = 0
        self._jobs = [NO_JOBS] * self.capacity

    def last(self, count: int | None = None) -> list[FrameRecord]:
        """The last frames, the oldest first: so many, or all that are remembered."""
        held = len(self)
        wanted = held if count is None else min(max(count, 0), held)
        frames = []
        for number in range(self.count - wanted, self.count):
            place = number % self.capacity
            wait, update, plugin, draw, flip, garbage = (one[place] for one in self._phases)
            interval = wait + update + plugin + draw + flip + garbage
            jobs = self._jobs[place]
            at = self._at[place]
            frames.append(
                FrameRecord(number, at, interval, wait, update, plugin, draw, flip, garbage, jobs)
            )
        return frames

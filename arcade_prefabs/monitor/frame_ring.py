"""`FrameRecord` and `FrameRing`: the measurements of the last frames, in fixed memory."""

from __future__ import annotations

import enum
from array import array
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

__all__ = ["NO_JOBS", "PHASES", "FrameRecord", "FrameRing", "GarbagePause", "JobSeconds", "Phase"]

JobSeconds: TypeAlias = Mapping[str, float]


class Phase(enum.IntEnum):
    """Part of a frame; every moment of a frame belongs to exactly one.

    Attributes:
        WAIT: From the end of ``flip`` to the beginning of the next frame: idle time, the window
            system, and functions of `arcade.schedule`.
        UPDATE: The game's handlers of ``on_update``, ``on_fixed_update``, keys and mouse.
        PLUGIN: The plugin's own work on the main thread.
        DRAW: The game's ``on_draw``.
        FLIP: ``flip``, which waits for OpenGL, the driver and the display.
        GARBAGE: Python's garbage collector, in whichever phase it ran.
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
    """The measured times of one frame, in seconds.

    A frame lasts from its beginning to that of the next one.

    Attributes:
        number: The number of the frame, counted from 0 since the monitor began or was reset.
        at: When it ended and the next one began, on the monitor's clock.
        interval: The time of the whole frame.
        wait, update, plugin, draw, flip, garbage: The time of each `Phase`.
        jobs: The time within ``plugin``, by kind of job.
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
        """The time of all phases but `Phase.WAIT`, in seconds."""
        return self.interval - self.wait


class GarbagePause(NamedTuple):
    """A run of Python's garbage collector.

    Attributes:
        at: When it ended, in seconds of the monitor's clock.
        seconds: How long it took.
        generation: The generation that was collected, 0 to 2.
    """

    at: float
    seconds: float
    generation: int


class FrameRing:
    """Ring buffer of frames: 56 bytes for each, and the times of its jobs.

    Args:
        capacity: The number of frames that it keeps.

    Attributes:
        capacity: The argument.
        count: The number of frames since the beginning or the last `clear`, overwritten ones
            included.
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
        """Adds a frame; overwrites the oldest one if the ring is full.

        Args:
            at: When it ended, in seconds.
            spent: The seconds of each phase, in the order of `Phase`.
            jobs: The seconds of plugin work, by kind of job.
        """
        index = self.count % self.capacity
        self._at[index] = at
        wait, update, plugin, draw, flip, garbage = self._phases
        wait[index], update[index], plugin[index] = spent[0], spent[1], spent[2]
        draw[index], flip[index], garbage[index] = spent[3], spent[4], spent[5]
        self._jobs[index] = jobs
        self.count += 1

    def clear(self) -> None:
        """Removes all frames."""
        self.count = 0
        self._jobs = [NO_JOBS] * self.capacity

    def last(self, count: int | None = None) -> list[FrameRecord]:
        """Returns the last ``count`` frames, the oldest first; by default all that it keeps."""
        kept = len(self)
        count = kept if count is None else min(max(count, 0), kept)
        frames = []
        for number in range(self.count - count, self.count):
            index = number % self.capacity
            wait, update, plugin, draw, flip, garbage = (times[index] for times in self._phases)
            interval = wait + update + plugin + draw + flip + garbage
            jobs = self._jobs[index]
            at = self._at[index]
            frames.append(
                FrameRecord(number, at, interval, wait, update, plugin, draw, flip, garbage, jobs)
            )
        return frames

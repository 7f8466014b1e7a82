"""What is to blame for a late frame."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from .frame_ring import PHASES, JobSeconds, Phase
from .processor_time import Computed

__all__ = ["STREAMING", "FrameBaseline", "FrameSample", "Hitch", "HitchCause", "blame"]

# Weight of the newest frame in what is usual.
_EASE: Final = 0.1
# What explains that much of a delay is to blame for it.
_SHARE: Final = 0.5
STREAMING: Final = "streaming"
"""The kind of plugin work that is no job of the queue: worlds looking at where players are."""
OWN_THREADS: Final = "arcade_prefabs"
"""What names of the plugin's threads begin with."""


class HitchCause(enum.Enum):
    """What made a frame late.

    Attributes:
        UPDATE: The game's handlers of ``on_update``, keys and mouse.
        DRAW: The game's ``on_draw``.
        PLUGIN: The plugin's own work on the main thread.
        GARBAGE: Python's garbage collector.
        THREAD: A thread that kept the interpreter from the main thread.
        FLIP: Showing the frame: the driver, or the graphics card is not done with it.
        OUTSIDE: None of these: the machine, the window system, functions of `arcade.schedule`.
    """

    UPDATE = "game update"
    DRAW = "game draw"
    PLUGIN = "plugin"
    GARBAGE = "garbage collector"
    THREAD = "thread"
    FLIP = "flip"
    OUTSIDE = "outside"


_OF_PHASE: Final = {
    Phase.UPDATE: HitchCause.UPDATE,
    Phase.DRAW: HitchCause.DRAW,
    Phase.FLIP: HitchCause.FLIP,
}


class Hitch(NamedTuple):
    """A frame that came late, and why.

    Attributes:
        number: Which frame, as `FrameRecord.number` counts.
        at: When it ended, in seconds of the monitor's clock.
        interval: How long it lasted, in seconds.
        cause: What is to blame.
        detail: More about it: the kind of job, the thread's name, the collector's generation.
        seconds: How much longer than usual that took.
    """

    number: int
    at: float
    interval: float
    cause: HitchCause
    detail: str
    seconds: float

    def __str__(self) -> str:
        about = f" ({self.detail})" if self.detail else ""
        return f"{self.interval * 1e3:.1f} ms: {self.cause.value}{about}"


class FrameSample(NamedTuple):
    """A frame, as `blame` wants it.

    Attributes:
        spent: Seconds by phase.
        jobs: Seconds of plugin work by kind.
        generation: The oldest generation that the collector looked at.
        waiting: What was computed in the phase `Phase.WAIT`.
        working: What was computed in the others.
    """

    spent: Sequence[float]
    jobs: JobSeconds
    generation: int
    waiting: Computed
    working: Computed


class FrameBaseline:
    """What frames of this game usually take, those that came late left aside."""

    def __init__(self) -> None:
        self.spent = [0.0] * PHASES
        self.waiting = [0.0, 0.0, 0.0]  # main thread, other thread, stolen
        self.working = [0.0, 0.0, 0.0]
        self._any = False

    def learn(self, frame: FrameSample) -> None:
        """Take a frame in time into account."""
        ease = _EASE if self._any else 1.0
        self._any = True
        spent = self.spent
        for phase, seconds in enumerate(frame.spent):
            spent[phase] += (seconds - spent[phase]) * ease
        for usual, now in ((self.waiting, frame.waiting), (self.working, frame.working)):
            usual[0] += (now.main - usual[0]) * ease
            usual[1] += (now.thread - usual[1]) * ease
            usual[2] += (now.stolen - usual[2]) * ease


def blame(frame: FrameSample, usual: FrameBaseline) -> tuple[HitchCause, str, float]:
    """What made a frame late: the cause, more about it, and the seconds that it cost.

    It is the part of the frame that took so much longer than usual. Where that is the game's or
    the plugin's and the main thread did not compute meanwhile, somebody kept it from doing so: a
    thread that did compute, or a machine that had no processor for it. A part that waited while
    nobody computed has done so by itself: it slept, or read a file.

    While the frame is shown, the plugin's own threads are meant to compute, and give the
    interpreter back within a millisecond: there the driver is to blame, not they.
    """
    grown = [now - before for now, before in zip(frame.spent, usual.spent, strict=True)]
    phase = Phase(max(range(PHASES), key=grown.__getitem__))
    late = grown[phase]
    if phase is Phase.GARBAGE:
        return HitchCause.GARBAGE, f"generation {frame.generation}", late
    if phase is Phase.WAIT:
        now, before = frame.waiting, usual.waiting
        idle = frame.spent[Phase.WAIT] - now.main
    else:
        now, before = frame.working, usual.working
        work = sum(frame.spent) - frame.spent[Phase.WAIT] - frame.spent[Phase.GARBAGE]
        used = sum(usual.spent) - usual.spent[Phase.WAIT] - usual.spent[Phase.GARBAGE]
        idle = (work - now.main) - max(0.0, used - before[0])
    stolen = now.stolen - before[2]
    if idle >= _SHARE * late:
        if stolen >= _SHARE * late:
            return HitchCause.OUTSIDE, "the machine had no processor for the game", late
        own = phase is Phase.FLIP and (not now.name or now.name.startswith(OWN_THREADS))
        if now.thread - before[1] >= _SHARE * late and not own:
            return HitchCause.THREAD, now.name, late
    if phase is Phase.WAIT:
        busy = now.main - before[0] >= _SHARE * late
        return HitchCause.OUTSIDE, "scheduled functions, or window events" if busy else "", late
    if phase is Phase.PLUGIN:
        kind = max(frame.jobs, key=frame.jobs.__getitem__) if frame.jobs else ""
        return HitchCause.PLUGIN, kind, late
    return _OF_PHASE[phase], "", late

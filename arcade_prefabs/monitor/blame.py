"""`blame`: finds what made a frame late, by comparing it with the usual frame of the game."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, NamedTuple

from .frame_ring import PHASES, JobSeconds, Phase
from .processor_time import Computed

__all__ = ["STREAMING", "FrameBaseline", "FrameSample", "Hitch", "HitchCause", "blame"]

# The weight of the newest frame in the usual one.
_EASE: Final = 0.1
# A cause is blamed if it explains at least this part of the delay.
_SHARE: Final = 0.5
STREAMING: Final = "streaming"
"""The kind of plugin work outside the main-thread queue: the planners of open worlds."""
OWN_THREADS: Final = "arcade_prefabs"
"""The prefix of the names of the plugin's threads."""


class HitchCause(enum.Enum):
    """Cause of a late frame.

    Attributes:
        UPDATE: The game's handlers of ``on_update``, keys and mouse.
        DRAW: The game's ``on_draw``.
        PLUGIN: The plugin's own work on the main thread.
        GARBAGE: Python's garbage collector.
        THREAD: Another thread held the interpreter.
        FLIP: ``flip`` waited for the driver or the graphics card.
        OUTSIDE: Another cause: a busy machine, the window system, functions of `arcade.schedule`.
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
    """A frame that came late, and its cause.

    Attributes:
        number: The `FrameRecord.number` of the frame.
        at: When it ended, in seconds of the monitor's clock.
        interval: How long it lasted, in seconds.
        cause: What made it late.
        detail: More about the cause: the kind of job, the name of the thread, or the generation of
            the garbage collection. May be empty.
        seconds: How much longer than usual the blamed phase took, in seconds.
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
    """The measurements of one frame that `blame` needs.

    Attributes:
        spent: The seconds of each phase, in the order of `Phase`.
        jobs: The seconds of plugin work, by kind of job.
        generation: The oldest generation that was garbage-collected in the frame.
        waiting: Processor time in the phase `Phase.WAIT`.
        working: Processor time in all other phases.
    """

    spent: Sequence[float]
    jobs: JobSeconds
    generation: int
    waiting: Computed
    working: Computed


class FrameBaseline:
    """Moving means of the game's frames in time; late frames do not count.

    Attributes:
        spent: The seconds of each phase.
        waiting: Processor time in `Phase.WAIT`: of the main thread, of the busiest other thread,
            and stolen by the machine.
        working: The same in all other phases.
    """

    def __init__(self) -> None:
        self.spent = [0.0] * PHASES
        self.waiting = [0.0, 0.0, 0.0]
        self.working = [0.0, 0.0, 0.0]
        self._any = False

    def learn(self, frame: FrameSample) -> None:
        """Adds a frame that was in time to the means."""
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
    """Finds what made a frame late.

    The phase that exceeded its usual time most is blamed, with two exceptions, which processor
    time shows. If the main thread did not compute during the delay, but another thread did, that
    thread held the interpreter; if the main thread was ready to run meanwhile, the machine had no
    processor for it. If neither is true, the phase waited by itself: it slept, or read a file.

    During `Phase.FLIP` the plugin's loader threads are meant to run, and they give the interpreter
    back within a millisecond; so the driver is blamed, not these threads.

    Args:
        frame: The late frame.
        usual: The game's usual frame.

    Returns:
        The cause, a detail such as the thread's name, and the seconds beyond the usual time.
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

"""`FrameMonitor`: how long frames take, what of, and why some come late."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from ..errors import FrameRateError
from .blame import FrameBaseline, FrameSample, Hitch, HitchCause, blame
from .frame_ring import NO_JOBS, PHASES, FrameRecord, FrameRing, GarbagePause, JobSeconds, Phase
from .processor_time import Computed, ProcessorTime
from .report import FrameReport
from .summary import FrameSummary, summarize

__all__ = ["FrameMonitor"]

_log = logging.getLogger("arcade_prefabs")

# Of the time between two frames: what takes longer was seen as a jerk.
_HITCH: Final = 1.5
_REMEMBERED: Final = 1000  # pauses of the collector
_FEWEST: Final = 10  # frames that say anything about a rate
_NOTHING: Final = Computed(0.0, 0.0, "", 0.0)


class _Ended(NamedTuple):
    """A frame that was shown, and lasts until the next one begins."""

    at: float
    spent: list[float]
    jobs: JobSeconds
    oldest: int
    working: Computed
    told_s: float  # of it, that listeners took


def check_parts(on_time: float, longest_s: float | None) -> None:
    """Refuse what cannot be asserted of frames."""
    if not 0 <= on_time <= 1:
        raise ValueError(f"on_time is a part of all frames, 0 to 1, not {on_time}")
    if longest_s is not None and not longest_s > 0:
        raise ValueError(f"longest_s is a time above 0, not {longest_s}")


def _check_rate(fps: float) -> None:
    if not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f"frames a second must be above 0 and finite, not {fps}")


class FrameMonitor:
    """Measures every frame of a window, and finds what is to blame for late ones.

    A plugin has one: ``prefabs.monitor``. For a window without it, `watch_frames` makes one.

    Example::

        prefabs.monitor.add_listener(print)    # a line for each frame that comes late
        ...
        print(prefabs.monitor.report())
        prefabs.monitor.assert_fps(60)

    A frame lasts from the moment when its work begins until that of the next one begins: a late
    beginning is the fault of what came before it. All it remembers takes some 10 MB at most. It
    costs some 15 µs of a frame. It watches Python's collector until it is closed: by `close`, at
    the end of a ``with``, or with the plugin or the window.

    Args:
        fps: How many frames a second there should be.
        capacity: How many frames are remembered, about 60 bytes each, and 300 more for each that
            had jobs of the plugin.
        clock: Seconds, as `time.perf_counter` gives them; for tests.
        processor_time: What tells of processor time; for tests.

    Attributes:
        fps: See above.
        hitch_s: Seconds from which on a frame is a hitch; half a frame more than a frame, unless
            it is set.
        at_close: Called by `close`: leaves the window as it was.

    Main thread.
    """

    def __init__(
        self,
        fps: float = 60.0,
        *,
        capacity: int = 18_000,
        clock: Callable[[], float] = time.perf_counter,
        processor_time: Callable[[], Computed] | None = None,
    ) -> None:
        if not isinstance(capacity, int) or capacity < 1:
            raise ValueError(f"at least one frame is to be remembered, not {capacity}")
        self.expect(fps)
        self._clock = clock
        self._own: ProcessorTime | None = None
        if processor_time is None:
            self._own = ProcessorTime()
            processor_time = self._own.look
        self._look = processor_time
        self._ring = FrameRing(capacity)
        self._usual = FrameBaseline()
        self._hitches: deque[Hitch] = deque(maxlen=capacity)
        self._pauses: deque[GarbagePause] = deque(maxlen=_REMEMBERED)
        self._listeners: list[Callable[[Hitch], object]] = []
        # Only the collector's callback adds to the total, whichever thread it runs in; only the
        # main thread touches the other one. So nothing is lost without a lock.
        self._collected = 0.0
        self._seen = 0.0
        self._collecting_since = 0.0
        self._oldest = 0
        self._watching = True
        self.at_close: Callable[[], object] | None = None
        gc.callbacks.append(self._garbage)
        self._begin_anew()

    def __repr__(self) -> str:
        return f"<FrameMonitor: {self._ring.count:,} frames, {len(self._hitches)} hitches>"

    def _begin_anew(self) -> None:
        self._phase = Phase.WAIT
        self._since = self._clock()
        self._spent = [0.0] * PHASES
        self._jobs: JobSeconds = NO_JOBS
        self._told_s = 0.0
        self._begun = False  # a frame, whose beginning was seen
        self._ended: _Ended | None = None  # the frame that was shown, and waits for the next one

    # -------------------------------------------------------------------------------- being told

    def enter(self, phase: Phase) -> Phase:
        """What follows belongs to a phase, until `leave` gets what this gives."""
        outer = self._phase
        self._account(self._clock())
        self._phase = phase
        return outer

    def leave(self, outer: Phase) -> None:
        """The phase ends, and the one goes on that it was in."""
        self._account(self._clock())
        self._phase = outer

    def note_jobs(self, jobs: JobSeconds) -> None:
        """What more of the plugin's time in this frame was which kind of job, in seconds."""
        if self._jobs:  # the second tick of a frame: loading screens have several
            kinds = self._jobs.keys() | jobs.keys()
            jobs = {kind: self._jobs.get(kind, 0.0) + jobs.get(kind, 0.0) for kind in kinds}
        self._jobs = jobs

    def begin_frame(self) -> None:
        """The work of a frame begins; the one before lasted until now."""
        now = self._clock()
        self._account(now)
        ended, self._ended = self._ended, None
        waiting = self._look()
        spent, self._spent = self._spent, [0.0] * PHASES
        if ended is not None and ended.spent:
            for phase, seconds in enumerate(spent):
                ended.spent[phase] += seconds
            oldest, self._oldest = max(ended.oldest, self._oldest), 0
            self._finish(now, ended._replace(oldest=oldest), waiting)
        self._begun = True

    def begin_untold(self) -> None:
        """The frame is about to be shown, and nobody told when it began: when the last one ended.

        What looked like waiting was the game, then.
        """
        ended, self._ended = self._ended, None
        self._account(self._clock())
        if ended is not None and ended.spent:
            self._finish(ended.at, ended, _NOTHING)
        self._begun = self._begun or ended is not None
        spent = self._spent
        spent[Phase.UPDATE] += spent[Phase.WAIT]
        spent[Phase.WAIT] = 0.0

    def end_frame(self) -> None:
        """The frame is shown."""
        now = self._clock()
        self._account(now)
        spent, self._spent = self._spent, [0.0] * PHASES
        jobs, self._jobs = self._jobs, NO_JOBS
        oldest, self._oldest = self._oldest, 0
        working = self._look()
        begun, self._begun = self._begun, False
        # Of the first one nobody knows when it began; the next one may begin right now.
        told_s, self._told_s = self._told_s, 0.0
        self._ended = _Ended(now, spent if begun else [], jobs, oldest, working, told_s)

    def _finish(self, now: float, ended: _Ended, waiting: Computed) -> None:
        spent = ended.spent
        interval = sum(spent)
        self._ring.add(now, spent, ended.jobs)
        frame = FrameSample(spent, ended.jobs, ended.oldest, waiting, ended.working)
        if interval <= self.hitch_s:
            self._usual.learn(frame)
            return
        cause, detail, seconds = blame(frame, self._usual)
        by_listeners = interval - ended.told_s <= self.hitch_s
        if by_listeners:
            cause, detail = HitchCause.UPDATE, "told of a late frame"
        hitch = Hitch(self._ring.count - 1, now, interval, cause, detail, seconds)
        self._hitches.append(hitch)
        if by_listeners:  # to tell them of what they did themselves would go on for ever
            return
        began = self._clock()
        outer = self.enter(Phase.UPDATE)  # of the next frame: what listeners do is the game's
        for listener in tuple(self._listeners):
            try:
                listener(hitch)
            except Exception:
                _log.exception("a listener of the frame monitor failed")
        self.leave(outer)
        self._told_s += self._clock() - began

    def _account(self, now: float) -> None:
        """The time since the last call was spent in the present phase, but for the collector."""
        seconds = now - self._since
        self._since = now
        if seconds <= 0:
            return
        spent = self._spent
        collected = self._collected
        if collected != self._seen:
            # A collection in another thread may let the main thread go on meanwhile, in a finalizer
            # that waits: that time is not lost, and must not be counted twice.
            garbage = min(collected - self._seen, seconds)
            self._seen = collected
            spent[Phase.GARBAGE] += garbage
            seconds -= garbage
        spent[self._phase] += seconds

    def _garbage(self, phase: str, info: dict[str, int]) -> None:
        # Runs inside the collector, in whichever thread made the object that was too many, never
        # twice at a time: no lock, no exception, as little as can be. A signal that comes during a
        # collection of the main thread is handled at the first line of Python after it, which is
        # this one: what its handler raises (Ctrl-C, the time limit of a test) is told by
        # `sys.unraisablehook`, and ends nothing. No code in here could catch it.
        if phase == "start":
            self._collecting_since = self._clock()
            return
        now = self._clock()
        seconds = now - self._collecting_since
        self._collected += seconds
        generation = info.get("generation", 0)
        self._oldest = max(self._oldest, generation)
        self._pauses.append(GarbagePause(now, seconds, generation))

    # ------------------------------------------------------------------------------------ asking

    def add_listener(self, listener: Callable[[Hitch], object]) -> None:
        """Call something with every `Hitch`, right after the frame that came late.

        What it takes is the game's update. A frame that comes late by it alone is not told.
        Adding the same function twice has no effect.
        """
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[Hitch], object]) -> None:
        """Call it no more; no error if it was not added."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def frames(self, count: int | None = None) -> list[FrameRecord]:
        """The last frames, the oldest first: so many, or all that are remembered."""
        return self._ring.last(count)

    @property
    def hitches(self) -> tuple[Hitch, ...]:
        """The frames that came late, the oldest first; as many as frames are remembered."""
        return tuple(self._hitches)

    @property
    def pauses(self) -> tuple[GarbagePause, ...]:
        """The collector's pauses, the oldest first; the last 1,000."""
        # A copy first: making the tuple may start the collector, whose callback adds to the queue.
        return tuple(self._pauses.copy())

    def reset(self) -> None:
        """Forget everything: measuring begins with the next frame, as after a loading screen."""
        self._ring.clear()
        self._hitches.clear()
        self._pauses.clear()
        self._usual = FrameBaseline()
        self._begin_anew()

    def expect(self, fps: float) -> None:
        """Judge frames by another rate from now on; a window's own monitor follows its rate.

        Raises:
            ValueError: That is no rate.
        """
        _check_rate(fps)
        self.fps = fps
        self.hitch_s = _HITCH / fps

    def summary(self) -> FrameSummary:
        """What the remembered frames were like."""
        return summarize(self.frames(), self.hitches, self.fps)

    def report(self) -> FrameReport:
        """All of it, to be printed or written: as text, JSON, or a trace for Perfetto."""
        return self._report(self.fps)

    def _report(self, fps: float) -> FrameReport:
        frames = self.frames()
        first, begun = (frames[0].number, frames[0].at - frames[0].interval) if frames else (0, 0.0)
        hitches = [one for one in self._hitches if one.number >= first]
        pauses = [one for one in self.pauses if one.at >= begun]
        return FrameReport(summarize(frames, hitches, fps), frames, hitches, pauses)

    def assert_fps(
        self, fps: float | None = None, *, on_time: float = 0.99, longest_s: float | None = None
    ) -> None:
        """Raise unless the game has held a frame rate.

        Args:
            fps: Frames a second on average; those of the monitor if it is None. The game must be
                paced a little above it: pyglet's clock at 1/60 gives 59.2.
            on_time: The part of all frames that may have lasted ``1 / fps`` at most, 0 to 1.
            longest_s: Seconds that no frame may have taken longer than; None for any.

        Raises:
            FrameRateError: It has not, or there are too few frames to tell; says what was wrong.
            ValueError: That is no frame rate, or no part of frames.
        """
        wanted = self.fps if fps is None else fps
        _check_rate(wanted)
        check_parts(on_time, longest_s)
        report = self._report(wanted)
        found = report.summary
        wrong = []
        if found.frames < _FEWEST:
            wrong.append(f"only {found.frames} frames were measured")
        else:
            if found.fps < wanted:
                wrong.append(f"{found.fps:.2f} frames a second, not {wanted:g}")
            if found.on_time < on_time:
                wrong.append(
                    f"{found.on_time:.2%} of frames within {1e3 / wanted:.1f} ms, not {on_time:.2%}"
                )
            if longest_s is not None and found.longest_s > longest_s:
                wrong.append(
                    f"a frame of {found.longest_s * 1e3:.1f} ms, longer than {longest_s * 1e3:.1f}"
                )
        if wrong:
            raise FrameRateError(f"{'; '.join(wrong)}\n{report}")

    @property
    def closed(self) -> bool:
        """Whether it measures no more."""
        return not self._watching

    def __enter__(self) -> FrameMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Measure no more; what was measured stays. Twice is fine."""
        if self._watching:
            self._watching = False
            gc.callbacks.remove(self._garbage)
            if self._own is not None:
                self._own.close()
            if self.at_close is not None:
                self.at_close()

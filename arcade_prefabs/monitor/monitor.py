"""`FrameMonitor`: measures every frame of a window by phase, and explains late ones.

To mend stutter, the author of a game has to know whether the game's own update,
its drawing, the plugin, the garbage collector, another thread or the machine made a frame late. So
every moment of a frame is accounted to exactly one `Phase`, and a late frame is compared with the
usual one (`blame`).

The way taken: wrappers around the window's events and ``flip`` (`plugin/window_frames.py`) call
`enter` and `leave` at the borders of phases, where the monitor reads the clock once. A frame lasts
from the beginning of its work to that of the next frame: a frame that begins late is the fault of
the frame before. The garbage collector may run in any phase and any thread; its callback adds up
its time, which is taken out of the phase that it interrupted. All of this takes about 15 µs a
frame, so it is always on.

Ways not taken:

- A sampling or tracing profiler. It slows the game, and says where time goes on average, but not
  why frame 4,711 was late.
- The ``delta_time`` of ``on_update``. It says that a frame was late one frame later, not why; in
  headless loops it is not the time of a frame at all.
- Handlers pushed to the window. Handlers that swallow an event would hide it from them.
- A rolling log. All measurements are kept in ring buffers of fixed size, some 10 MB, as a log of
  hours would grow without a limit.
"""

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

# A frame that takes longer than this many times its due time is late: the player sees a jerk.
_HITCH: Final = 1.5
# The number of garbage-collection pauses that are kept.
_KEPT_PAUSES: Final = 1000
# The fewest frames from which a frame rate is computed.
_FEWEST: Final = 10
_NOTHING: Final = Computed(0.0, 0.0, "", 0.0)


class _Ended(NamedTuple):
    """A frame that was shown, and lasts until the next one begins.

    Attributes:
        at: When it was shown, in seconds.
        spent: The seconds of each phase; empty if the beginning of the frame was not seen.
        jobs: The seconds of plugin work, by kind of job.
        oldest: The oldest generation that was garbage-collected.
        working: Processor time in all phases but `Phase.WAIT`.
        told_s: The seconds that listeners took, which were called in this frame.
    """

    at: float
    spent: list[float]
    jobs: JobSeconds
    oldest: int
    working: Computed
    told_s: float


def check_parts(on_time: float, longest_s: float | None) -> None:
    """Checks the arguments of `FrameMonitor.assert_fps`.

    Raises:
        ValueError: ``on_time`` is not 0 to 1, or ``longest_s`` is not above 0.
    """
    if not 0 <= on_time <= 1:
        raise ValueError(f"on_time is a part of all frames, 0 to 1, not {on_time}")
    if longest_s is not None and not longest_s > 0:
        raise ValueError(f"longest_s is a time above 0, not {longest_s}")


def _check_rate(fps: float) -> None:
    if not (fps > 0 and math.isfinite(fps)):
        raise ValueError(f"frames a second must be above 0 and finite, not {fps}")


class FrameMonitor:
    """Measures every frame of a window, and finds what made a frame late.

    A plugin has one: ``prefabs.monitor``. For a window without a plugin, `watch_frames` makes one.

    Example::

        prefabs.monitor.add_listener(print)    # a line for each frame that comes late
        ...
        print(prefabs.monitor.report())
        prefabs.monitor.assert_fps(60)

    A frame lasts from the beginning of its work to that of the next frame. The monitor takes some
    15 µs of each frame, and some 10 MB at most. It measures until it is closed: by `close`, at the
    end of a ``with``, or with the plugin or the window.

    Args:
        fps: The frame rate by which frames are judged, in frames a second.
        capacity: The number of frames that are kept: about 60 bytes for each, and 300 more for
            each with jobs of the plugin.
        clock: Returns seconds, as `time.perf_counter` does; for tests.
        processor_time: Returns the processor time since its last call; for tests.

    Attributes:
        fps: The frame rate by which frames are judged.
        hitch_s: A frame that takes longer than this many seconds is a hitch; `expect` sets it to
            one and a half times ``1 / fps``.
        at_close: Called by `close` to remove the wrappers from the window.

    Raises:
        ValueError: ``fps`` is not above 0 and finite, or ``capacity`` is below 1.

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
            raise ValueError(f"capacity must be a whole number of at least 1, not {capacity}")
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
        self._pauses: deque[GarbagePause] = deque(maxlen=_KEPT_PAUSES)
        self._listeners: list[Callable[[Hitch], object]] = []
        # The seconds of all collections, and the part of them that was accounted. Only the
        # collector's callback changes the first, in any thread, but one at a time; only the main
        # thread changes the second. So neither needs a lock.
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
        self._begun = False  # whether the beginning of the present frame was seen
        self._ended: _Ended | None = None  # the frame that was shown, until the next one begins

    # -------------------------------------------------------------------------------- measuring

    def enter(self, phase: Phase) -> Phase:
        """Begins a phase. Returns the phase before, for `leave`."""
        outer = self._phase
        self._account(self._clock())
        self._phase = phase
        return outer

    def leave(self, outer: Phase) -> None:
        """Ends a phase; the phase that `enter` returned goes on."""
        self._account(self._clock())
        self._phase = outer

    def note_jobs(self, jobs: JobSeconds) -> None:
        """Adds the seconds of plugin work in this frame, by kind of job."""
        if self._jobs:  # the second tick of a frame: a loading screen has several
            kinds = self._jobs.keys() | jobs.keys()
            jobs = {kind: self._jobs.get(kind, 0.0) + jobs.get(kind, 0.0) for kind in kinds}
        self._jobs = jobs

    def begin_frame(self) -> None:
        """Begins a frame, and ends the one before."""
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
        """Begins a frame late, at its `flip`, as no event has shown its beginning.

        The frame counts from the end of the last one, and the time since then as the game's update
        instead of waiting.
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
        """Records that the frame was shown; it lasts until the next one begins."""
        now = self._clock()
        self._account(now)
        spent, self._spent = self._spent, [0.0] * PHASES
        jobs, self._jobs = self._jobs, NO_JOBS
        oldest, self._oldest = self._oldest, 0
        working = self._look()
        begun, self._begun = self._begun, False
        # A frame whose beginning was not seen, such as the first, is not recorded.
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
            cause, detail = HitchCause.UPDATE, "listeners of late frames"
        hitch = Hitch(self._ring.count - 1, now, interval, cause, detail, seconds)
        self._hitches.append(hitch)
        if by_listeners:  # calling listeners again would make the next frame late, and so on
            return
        began = self._clock()
        outer = self.enter(Phase.UPDATE)  # listeners are code of the game, in the next frame
        for listener in tuple(self._listeners):
            try:
                listener(hitch)
            except Exception:
                _log.exception("a listener of the frame monitor failed")
        self.leave(outer)
        self._told_s += self._clock() - began

    def _account(self, now: float) -> None:
        """Accounts the time since the last call to the present phase and to the collector."""
        seconds = now - self._since
        self._since = now
        if seconds <= 0:
            return
        spent = self._spent
        collected = self._collected
        if collected != self._seen:
            # A collection in another thread can take longer than the main thread was held up, as
            # when a finalizer in it waits: at most the elapsed time is taken.
            garbage = min(collected - self._seen, seconds)
            self._seen = collected
            spent[Phase.GARBAGE] += garbage
            seconds -= garbage
        spent[self._phase] += seconds

    def _garbage(self, phase: str, info: dict[str, int]) -> None:
        # Runs inside the collector, in any thread, but never in two at a time: it takes no lock,
        # raises nothing, and is short. A signal that arrives during a collection of the main thread
        # is handled at the next line of Python, which is the first line here; an exception of its
        # handler (Ctrl-C, the time limit of a test) then goes to `sys.unraisablehook` and ends
        # nothing. No code in here could catch it.
        if phase == "start":
            self._collecting_since = self._clock()
            return
        now = self._clock()
        seconds = now - self._collecting_since
        self._collected += seconds
        generation = info.get("generation", 0)
        self._oldest = max(self._oldest, generation)
        self._pauses.append(GarbagePause(now, seconds, generation))

    # ------------------------------------------------------------------------------------ results

    def add_listener(self, listener: Callable[[Hitch], object]) -> None:
        """Calls a function with every `Hitch`, at the beginning of the next frame.

        Its time counts as the game's update. Listeners are not called for a frame that is late
        because of listeners alone. Adding the same function twice has no effect.
        """
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[Hitch], object]) -> None:
        """Removes a listener; no error if it was not added."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def frames(self, count: int | None = None) -> list[FrameRecord]:
        """Returns the last ``count`` frames, the oldest first; by default all that are kept."""
        return self._ring.last(count)

    @property
    def hitches(self) -> tuple[Hitch, ...]:
        """The frames that came late, the oldest first; the last ``capacity`` of them."""
        return tuple(self._hitches)

    @property
    def pauses(self) -> tuple[GarbagePause, ...]:
        """The pauses of the garbage collector, the oldest first; the last 1,000."""
        # Copy first: making a tuple can start the collector, whose callback changes the deque.
        return tuple(self._pauses.copy())

    def reset(self) -> None:
        """Drops all measurements, and goes on with the next frame; for after a loading screen."""
        self._ring.clear()
        self._hitches.clear()
        self._pauses.clear()
        self._usual = FrameBaseline()
        self._begin_anew()

    def expect(self, fps: float) -> None:
        """Sets the frame rate by which frames are judged, and `hitch_s` with it.

        The monitor of a plugin follows the window's draw rate by itself.

        Raises:
            ValueError: ``fps`` is not above 0 and finite.
        """
        _check_rate(fps)
        self.fps = fps
        self.hitch_s = _HITCH / fps

    def summary(self) -> FrameSummary:
        """Returns means, percentiles and counts of the kept frames."""
        return summarize(self.frames(), self.hitches, self.fps)

    def report(self) -> FrameReport:
        """Returns all measurements, to be written as text, JSON, or a trace for Perfetto."""
        return self._report(self.fps)

    def _report(self, fps: float) -> FrameReport:
        frames = self.frames()
        first, begun = (frames[0].number, frames[0].at - frames[0].interval) if frames else (0, 0.0)
        hitches = [hitch for hitch in self._hitches if hitch.number >= first]
        pauses = [pause for pause in self.pauses if pause.at >= begun]
        return FrameReport(summarize(frames, hitches, fps), frames, hitches, pauses)

    def assert_fps(
        self, fps: float | None = None, *, on_time: float = 0.99, longest_s: float | None = None
    ) -> None:
        """Raises an error unless the kept frames have held a frame rate.

        Args:
            fps: The least mean frame rate, in frames a second; by default that of the monitor. The
                game must be paced a little above it: pyglet's clock at 1/60 gives 59.2.
            on_time: The least part of frames that lasted at most ``1 / fps``, 0 to 1.
            longest_s: The longest that any frame may have lasted, in seconds; None for no limit.

        Raises:
            FrameRateError: The frame rate was not held, or fewer than 10 frames were measured. The
                message has the reasons and the whole report.
            ValueError: ``fps`` is not above 0, ``on_time`` is not 0 to 1, or ``longest_s`` is not
                above 0.
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
        """Whether `close` was called."""
        return not self._watching

    def __enter__(self) -> FrameMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops measuring; the measurements stay. May be called twice."""
        if self._watching:
            self._watching = False
            gc.callbacks.remove(self._garbage)
            if self._own is not None:
                self._own.close()
            if self.at_close is not None:
                self.at_close()

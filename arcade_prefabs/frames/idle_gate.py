"""`IdleGate`: lets loader threads run Python code only while the game waits for its next frame.

Python runs one thread at a time. Every OpenGL call of the main thread gives the interpreter away,
and the main thread gets it back only when the other thread is asked to give it up, after up to
5 ms (`sys.getswitchinterval`). A frame has hundreds of such calls: a single thread that decodes all
the time took a game from 59 to 47 frames a second, one that parses text to 17. A game that waits
for its next frame does not notice other threads at all. So loader threads work in *units* of less
than a millisecond, and ask the gate before each of them; it is open from the end of drawing until
shortly before the next frame.

Ways not taken:

- Low thread priorities. The interpreter's lock does not know them.
- `sys.setswitchinterval`. It is a setting of the whole process, which belongs to the game, and a
  short one slows all its threads.
- Processes instead of threads. Decoded objects would have to be copied into the game's process,
  which is the very work that has to be kept out of frames. (Parsing RON is done in processes.)
- A gate that is only ever closed while the game draws. A game that uses its whole frame would never
  load. So a minimum share of the time is granted as *credit*: it grows with time, and each unit
  that runs is charged to it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["GilHold", "IdleGate"]

# The most credit that can be saved, in seconds: with more, a long idle time would pay for a burst
# of units in the middle of a later frame.
_CREDIT_S: Final = 0.004
# The most debt of units that ran while the gate was open, in seconds. They are charged, too: loads
# that have plenty of open time need no share of the frame. The limit keeps loads from waiting long
# after a game has become slow.
_OPEN_DEBT_S: Final = 0.05
# The same for units that ran while it was closed. They are charged in full, or long units would get
# more than the minimum share; the limit is for a single unit that took absurdly long.
_CLOSED_DEBT_S: Final = 1.0
# A unit is expected to take as long as the longest recent one. With each further unit, that longest
# time is multiplied by this factor. The first expectation is long, as nothing was measured yet.
_FORGET: Final = 0.98
_UNKNOWN_S: Final = 1.0
# Additional time before the next frame, for the switch from a loader thread to the main thread.
_SWITCH_S: Final = 0.001


class GilHold(NamedTuple):
    """Processor time of all units of one kind, during which they may have held the interpreter.

    Attributes:
        units: The number of units.
        seconds: The processor time of all of them.
        longest: The processor time of the longest one, in seconds: an upper bound of how long the
            main thread had to wait for the interpreter.
    """

    units: int
    seconds: float
    longest: float


class IdleGate:
    """Lets loader threads work between the end of a frame's drawing and the next frame.

    The gate is open from `end_frame` until shortly before the next frame is due, and as long as no
    frames are reported at all. While it is closed, loader threads still get `minimum_share` of the
    time, so that a game whose frames are always late loads, too.

    Example:
        >>> now = 0.0
        >>> gate = IdleGate(clock=lambda: now, minimum_share=0.0)
        >>> gate.begin_frame()
        >>> gate.is_open()
        False
        >>> gate.end_frame(next_frame_at=0.016)
        >>> gate.is_open()
        True
        >>> now = 0.013  # 3 ms before the frame
        >>> gate.is_open()
        False

    Args:
        clock: Returns seconds, as `time.perf_counter` does.
        margin_s: The gate closes at most this many seconds before the next frame. The longest
            unit and one switch of threads have to fit in; if recent units were short, the gate
            closes later.
        minimum_share: The share of the time that loader threads get while the gate is closed, 0
            to 1.
        stall_s: The gate opens if the next frame is late by this many seconds: the game stands
            still, as behind a dragged window.
        frame_s: Seconds from one frame to the next, for calls of `end_frame` that do not say it.

    Attributes:
        margin_s: The argument; may be changed.
        minimum_share: The argument; may be changed.

    Any thread, except for `begin_frame` and `end_frame`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.perf_counter,
        margin_s: float = 0.004,
        minimum_share: float = 0.05,
        stall_s: float = 0.25,
        frame_s: float = 1 / 60,
    ) -> None:
        if not 0 <= minimum_share <= 1:
            raise ValueError(f"minimum_share must be 0 to 1, not {minimum_share}")
        if margin_s < 0 or stall_s <= 0 or frame_s <= 0:
            raise ValueError(
                "stall_s and frame_s must be above 0, and margin_s at least 0, in seconds; found "
                f"stall_s={stall_s}, frame_s={frame_s}, margin_s={margin_s}"
            )
        self.margin_s = margin_s
        self.minimum_share = minimum_share
        self._clock = clock
        self._stall_s = stall_s
        self._frame_s = frame_s
        self._changed = threading.Condition()
        self._ended = False
        # The gate is open before `_closes_at`, and from `_stalled_at` on. Both are read without
        # the lock: assigning a float is atomic.
        self._closes_at = math.inf
        self._stalled_at = math.inf
        self._began_at = 0.0
        self._credit = 0.0
        self._credited_at = clock()
        self._holds: dict[str, GilHold] = {}
        self._longest = _UNKNOWN_S
        self._here = threading.local()

    def begin_frame(self) -> None:
        """Closes the gate while the game updates and draws. Main thread."""
        self._began_at = self._clock()
        self._stalled_at = math.inf
        self._closes_at = -math.inf

    def end_frame(self, next_frame_at: float | None = None) -> None:
        """Opens the gate until shortly before the next frame.

        Args:
            next_frame_at: When the next frame is due, in seconds of the clock; by default
                ``frame_s`` after `begin_frame`.

        Main thread.
        """
        due = self._began_at + self._frame_s if next_frame_at is None else next_frame_at
        with self._changed:
            self._closes_at = due - min(self.margin_s, self._longest + _SWITCH_S)
            self._stalled_at = due + self._stall_s
            self._changed.notify_all()

    def release(self) -> None:
        """Opens the gate until the next `begin_frame`, as when a game stops drawing. Any thread."""
        with self._changed:
            self._closes_at = math.inf
            self._changed.notify_all()

    def is_open(self) -> bool:
        """Whether the gate is open now; the minimum share does not count."""
        return self._is_open(self._clock())

    def _is_open(self, now: float) -> bool:
        return now < self._closes_at or now >= self._stalled_at

    def try_pass(self) -> bool:
        """Whether a unit may run now, because the gate is open or by the minimum share."""
        with self._changed:
            return self._wait_s(self._clock()) <= 0

    def wait(self) -> bool:
        """Blocks until a unit may run, and returns True; False once `end` was called."""
        passed = self._wait()
        self._here.began = time.thread_time()
        return passed

    def _wait(self) -> bool:
        if self._clock() < self._closes_at and not self._ended:
            return True
        with self._changed:
            while not self._ended:
                left = self._wait_s(self._clock())
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def pause(self, kind: str) -> None:
        """Ends a unit in the middle of long work, and blocks until the next one may begin.

        Does nothing in a thread that has never called `wait`, such as the main thread.

        Args:
            kind: The kind of the unit that ends.
        """
        began = getattr(self._here, "began", None)
        if began is not None:
            self.charge(kind, time.thread_time() - began)
            self.wait()

    def charge_since(self, kind: str, began: float) -> None:
        """Charges a unit of this thread that began at ``began``, or at its last `pause` if later.

        Args:
            kind: The kind of the unit.
            began: `time.thread_time` of this thread when the unit began, in seconds.
        """
        began = max(began, getattr(self._here, "began", 0.0))
        self.charge(kind, time.thread_time() - began)

    def charge(self, kind: str, seconds: float) -> None:
        """Records the processor time of a unit, in seconds, and takes it from the credit."""
        with self._changed:
            now = self._clock()
            self._earn(now)
            most = _OPEN_DEBT_S if self._is_open(now) else _CLOSED_DEBT_S
            self._credit = min(self._credit, max(self._credit - seconds, -most))
            self._longest = max(seconds, self._longest * _FORGET)
            units, total, longest = self._holds.get(kind, (0, 0.0, 0.0))
            self._holds[kind] = GilHold(units + 1, total + seconds, max(longest, seconds))

    def holds(self) -> dict[str, GilHold]:
        """Returns the processor time of units so far, by kind."""
        with self._changed:
            return dict(self._holds)

    def end(self) -> None:
        """Lets every call of `wait`, present and later, return False."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait_s(self, now: float) -> float:
        """Returns the seconds until a unit may run, unless a frame ends before that."""
        if self._is_open(now):
            return 0.0
        self._earn(now)
        if self._credit > 0 and self.minimum_share:
            return 0.0
        stalled = self._stalled_at - now
        share = self.minimum_share
        # At most a second: the game may have stopped reporting frames.
        return min(stalled, (-self._credit + 1e-4) / share if share else stalled, 1.0)

    def _earn(self, now: float) -> None:
        earned = (now - self._credited_at) * self.minimum_share
        self._credited_at = max(now, self._credited_at)  # another thread may have a later `now`
        self._credit = min(self._credit + max(0.0, earned), _CREDIT_S)

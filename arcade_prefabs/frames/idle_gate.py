"""`IdleGate`: background work happens while the game waits for its next frame."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["GilHold", "IdleGate"]

# Credit that can be saved up, in seconds: more would let a long idle time pay for a burst of work
# in the middle of a later frame.
_CREDIT_S: Final = 0.004
# Debt that can be run into. Work in open time counts, too: who has plenty of that needs no share of
# the frame; but only so much, or a game that becomes slow would pay for it long after. Of work in
# closed time all counts, or long units would get more than the share, up to a unit gone mad.
_OPEN_DEBT_S: Final = 0.05
_CLOSED_DEBT_S: Final = 1.0
# A unit is expected to take no longer than the longest one of late, which is forgotten by that much
# with each further unit; at the beginning nothing is known, and units may be long.
_FORGET: Final = 0.98
_UNKNOWN_S: Final = 1.0
# What is left beside that for switching threads.
_SWITCH_S: Final = 0.001


class GilHold(NamedTuple):
    """What one kind of unit took of the interpreter.

    Attributes:
        units: How many there were.
        seconds: Processor time of all of them.
        longest: The longest one: an upper bound of how long it kept others from the interpreter.
    """

    units: int
    seconds: float
    longest: float


class IdleGate:
    """Lets background threads work between the end of a frame's drawing and the next frame.

    A thread that runs Python code while the game draws takes the interpreter from it at every
    OpenGL call, for up to 5 ms each time. So loader threads ask here before every unit of work.
    The gate is open from `end_frame` until shortly before the next frame is due, and when nobody
    drives frames at all. While it is closed, a small share of the time is granted all the same,
    or a game that is always late would never load anything.

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
        clock: Seconds, as `time.perf_counter` gives them.
        margin_s: How long before the next frame it closes. The longest unit and one switch of
            threads have to fit in; where units were short of late, it closes later.
        minimum_share: The share of the time that is granted in any case, 0 to 1.
        stall_s: If the next frame is that late, nobody is playing: the gate opens.
        frame_s: Seconds from one frame to the next where `end_frame` is not told.

    Attributes:
        margin_s: See above.
        minimum_share: See above.

    Any thread, except where it says otherwise.
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
            raise ValueError(f"minimum_share is a share, 0 to 1: {minimum_share}")
        if margin_s < 0 or stall_s <= 0 or frame_s <= 0:
            raise ValueError("margin_s, stall_s and frame_s are times in seconds")
        self.margin_s = margin_s
        self.minimum_share = minimum_share
        self._clock = clock
        self._stall_s = stall_s
        self._frame_s = frame_s
        self._changed = threading.Condition()
        self._ended = False
        # Open before this time, and from that one on. Floats are read without the lock.
        self._closes_at = math.inf
        self._stalled_at = math.inf
        self._began_at = 0.0
        self._credit = 0.0
        self._credited_at = clock()
        self._holds: dict[str, GilHold] = {}
        self._longest = _UNKNOWN_S
        self._here = threading.local()

    def begin_frame(self) -> None:
        """Close: the game updates and draws. Main thread."""
        self._began_at = self._clock()
        self._stalled_at = math.inf
        self._closes_at = -math.inf

    def end_frame(self, next_frame_at: float | None = None) -> None:
        """Open until shortly before ``next_frame_at``, in seconds of the clock. Main thread.

        Where that is not known, a frame is taken to last as long as the constructor was told.
        """
        due = self._began_at + self._frame_s if next_frame_at is None else next_frame_at
        with self._changed:
            self._closes_at = due - min(self.margin_s, self._longest + _SWITCH_S)
            self._stalled_at = due + self._stall_s
            self._changed.notify_all()

    def release(self) -> None:
        """Open until the next `begin_frame`: nobody drives frames now. Any thread."""
        with self._changed:
            self._closes_at = math.inf
            self._changed.notify_all()

    def is_open(self) -> bool:
        """Whether it is open now, the granted share left aside."""
        return self._is_open(self._clock())

    def _is_open(self, now: float) -> bool:
        return now < self._closes_at or now >= self._stalled_at

    def try_pass(self) -> bool:
        """Whether a unit may be done now."""
        with self._changed:
            return self._wait_s(self._clock()) <= 0

    def wait(self) -> bool:
        """Return when a unit may be done: True, or False once the gate has ended."""
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
        """End a unit in the middle of long work, and return when the next one may begin.

        Only threads that have waited before wait here; another one has nobody to wait for.
        """
        began = getattr(self._here, "began", None)
        if began is not None:
            self.charge(kind, time.thread_time() - began)
            self.wait()

    def charge_since(self, kind: str, began: float) -> None:
        """Note a unit of this thread which began then, or at its last pause if that was later.

        Args:
            kind: What it was.
            began: Processor time of this thread, in seconds.
        """
        began = max(began, getattr(self._here, "began", 0.0))
        self.charge(kind, time.thread_time() - began)

    def charge(self, kind: str, seconds: float) -> None:
        """Note a unit of work that was done: its kind, and its processor time."""
        with self._changed:
            now = self._clock()
            self._earn(now)
            most = _OPEN_DEBT_S if self._is_open(now) else _CLOSED_DEBT_S
            self._credit = min(self._credit, max(self._credit - seconds, -most))
            self._longest = max(seconds, self._longest * _FORGET)
            units, total, longest = self._holds.get(kind, (0, 0.0, 0.0))
            self._holds[kind] = GilHold(units + 1, total + seconds, max(longest, seconds))

    def holds(self) -> dict[str, GilHold]:
        """What units took of the interpreter, by their kind."""
        with self._changed:
            return dict(self._holds)

    def end(self) -> None:
        """Send all threads away that wait, now and later."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _wait_s(self, now: float) -> float:
        """Seconds until a unit may be done, if no frame ends before."""
        if self._is_open(now):
            return 0.0
        self._earn(now)
        if self._credit > 0 and self.minimum_share:
            return 0.0
        stalled = self._stalled_at - now
        share = self.minimum_share
        # An idle thread may as well look again after a second: whoever drives frames may be gone.
        return min(stalled, (-self._credit + 1e-4) / share if share else stalled, 1.0)

    def _earn(self, now: float) -> None:
        earned = (now - self._credited_at) * self.minimum_share
        self._credited_at = max(now, self._credited_at)  # another thread may have looked later
        self._credit = min(self._credit + max(0.0, earned), _CREDIT_S)

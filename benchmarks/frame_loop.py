"""Plays a game of 60 frames a second without a window, and measures its frame times.

A frame is some milliseconds of Python, and many short calls that give the interpreter away and take
it back, as every call of OpenGL does; then the loop sleeps until the next frame is due. A thread
that holds the interpreter makes frames late, as in a game.
"""

from __future__ import annotations

import ctypes
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

__all__ = ["FRAME_S", "Frames", "percentile", "play"]

FRAME_S: Final = 1 / 60
_GAME_S: Final = 0.003
_DRAW_CALLS: Final = 1_000
# Takes no time, and runs without holding the interpreter, like a call of OpenGL.
_draw_call = ctypes.CDLL(None).getpid


class Frames(NamedTuple):
    """Frame times of a run.

    Attributes:
        fps: The mean frame rate, in frames a second.
        worst_ms: The longest time between two frames, in milliseconds.
        p99_ms: The 99th percentile of that time, in milliseconds.
        frames: The number of frames.
        seconds: The time of the run, in seconds.
    """

    fps: float
    worst_ms: float
    p99_ms: float
    frames: int
    seconds: float


def play(
    until: Callable[[int], bool],
    begin: Callable[[], object] = lambda: None,
    update: Callable[[], object] = lambda: None,
    end: Callable[[float], object] = lambda _: None,
) -> Frames:
    """Plays frames until ``until(frames so far)``; ``end`` gets the time of the next frame."""
    starts: list[float] = []
    due = time.perf_counter()
    while not until(len(starts)):
        started = time.perf_counter()
        starts.append(started)
        begin()
        while time.perf_counter() - started < _GAME_S:
            sum(range(200))
        update()
        for _ in range(_DRAW_CALLS):
            _draw_call()
        # A late frame is not followed by an early one, as on a display.
        due = max(due + FRAME_S, time.perf_counter())
        end(due)
        left = due - time.perf_counter()
        if left > 0:
            time.sleep(left)
    starts.append(time.perf_counter())
    gaps = sorted(two - one for one, two in itertools.pairwise(starts))
    return Frames(
        len(gaps) / sum(gaps),
        gaps[-1] * 1e3,
        percentile(gaps, 0.99) * 1e3,
        len(gaps),
        sum(gaps),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Returns the percentile of sorted values for a share of 0 to 1."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

"""Plays a window in real time, and asserts its frame rate, in tests of games."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import arcade

    from ..monitor import FrameMonitor

__all__ = ["assert_fps", "play_window"]

# The least part of the requested time that has to be measured; the last frame may be a long one.
_ENOUGH: Final = 0.9


def play_window(
    window: arcade.Window,
    *,
    seconds: float,
    rate: float | None = None,
    until: Callable[[], object] | None = None,
) -> int:
    """Runs frames of a window in real time, in the loop of `arcade.run`, and returns.

    Args:
        window: The window, with a screen or headless.
        seconds: How long to play, in seconds.
        rate: Seconds from one frame to the next, at most 1; by default 1/62.
        until: Called after each frame; a true result ends playing.

    Returns:
        The number of frames.

    Raises:
        ValueError: ``seconds`` is below 0 or infinite, or ``rate`` is not above 0 and at most 1.
        PluginError: The window is closed.

    Main thread.
    """
    import pyglet

    from ..errors import PluginError
    from ..window.arcade_private import events_are_queued, queue_events, set_rates, stop_frames

    if window not in pyglet.app.windows:
        raise PluginError("the window is closed: play it while it is open")
    step = 1 / 62 if rate is None else rate
    if not 0 < step <= 1:
        raise ValueError(f"rate must be above 0 and at most 1 second, not {step}")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds must be at least 0 and finite, not {seconds}")
    end = time.perf_counter() + seconds
    frames = 0

    def shown(_: float) -> None:
        nonlocal frames
        frames += 1
        over = time.perf_counter() >= end or window not in pyglet.app.windows
        if over or (until is not None and until()):
            pyglet.app.exit()

    queued = events_are_queued()
    rates = set_rates(window, step, step)  # both, or the window would update more often than draw
    pyglet.clock.schedule_interval(shown, step)
    try:
        # As `arcade.run` does, which does not return in headless mode.
        pyglet.app.run(None)
    finally:
        pyglet.clock.unschedule(shown)
        # The loop switches queueing off for good; outside a loop, events have to be queued again.
        queue_events(queued)
        if window in pyglet.app.windows:
            set_rates(window, *rates)
        else:  # the game has closed the window
            stop_frames(window)
    return frames


def assert_fps(
    window: arcade.Window,
    fps: float = 60.0,
    *,
    seconds: float = 5.0,
    warm_up_s: float = 1.0,
    on_time: float = 0.99,
    longest_s: float | None = None,
) -> FrameMonitor:
    """Plays a window, and raises an error unless it holds a frame rate; for tests of games.

    Example::

        def test_the_level_holds_60_fps():
            window = MyGame()
            arcade_prefabs.testing.assert_fps(window, 60, seconds=5)

    Args:
        window: The game's window, with the plugin or without it.
        fps: The least mean frame rate, in frames a second; the game is paced a twelfth faster.
        seconds: How long to measure, in seconds.
        warm_up_s: How long to play before measuring, in seconds.
        on_time: The least part of frames that lasted at most ``1 / fps``, 0 to 1.
        longest_s: The longest that any frame may have lasted, in seconds; None for no limit.

    Returns:
        The monitor with all measurements.

    Raises:
        FrameRateError: The game does not hold the frame rate, or ended before it was measured for
            long enough. The message has the reasons, and the causes of late frames.
        ValueError: ``fps`` is not above 0, ``on_time`` is not 0 to 1, or ``longest_s`` is not
            above 0.
        PluginError: The window is closed.

    Main thread.
    """
    from ..errors import FrameRateError
    from ..monitor import FrameMonitor
    from ..monitor.monitor import check_parts
    from ..monitor.summary import FASTER
    from ..plugin.prefab_plugin import ATTRIBUTE
    from ..plugin.window_frames import watch_frames

    check_parts(on_time, longest_s)
    plugin = getattr(window, ATTRIBUTE, None)
    own = FrameMonitor(fps)  # raises the ValueError for `fps`
    monitor = own if plugin is None else plugin.monitor
    usual = monitor.fps, monitor.hitch_s
    try:
        if plugin is None:
            watch_frames(window, own)
        # Frames are judged by the asserted rate, not by the one that the game is paced at.
        monitor.fps, monitor.hitch_s = own.fps, own.hitch_s
        rate = 1 / (fps * FASTER)
        play_window(window, seconds=warm_up_s, rate=rate)
        monitor.reset()
        play_window(window, seconds=seconds, rate=rate)
        measured = monitor.summary().seconds
        if measured < _ENOUGH * seconds:
            raise FrameRateError(
                f"the game was played for {measured:.2f} s only, not {seconds:g}: it has closed "
                "its window, or ended the loop"
            )
        monitor.assert_fps(fps, on_time=on_time, longest_s=longest_s)
    finally:
        own.close()
        if plugin is not None:
            monitor.fps, monitor.hitch_s = usual
    return monitor

"""Playing a window in real time, and asserting its frame rate: for a game's own tests."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import arcade

    from ..monitor import FrameMonitor

__all__ = ["assert_fps", "play_window"]

_ENOUGH: Final = 0.9  # of the time that was to be measured; the last frame may be a long one


def play_window(
    window: arcade.Window,
    *,
    seconds: float,
    rate: float | None = None,
    until: Callable[[], object] | None = None,
) -> int:
    """Play frames of a window in real time, in the loop that `arcade.run` uses, and come back.

    Args:
        window: The window, with a screen or without one.
        seconds: How long.
        rate: Seconds from one frame to the next, 1 at most; a little less than a 60th if it is
            None.
        until: Ends it as soon as this is true.

    Returns:
        How many frames were played.

    Raises:
        ValueError: That is no time to play, or no time of a frame.
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
        raise ValueError(f"the time of a frame is above 0, and a second at most, not {step}")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a window is played for some seconds, not {seconds}")
    end = time.perf_counter() + seconds
    frames = 0

    def shown(_: float) -> None:
        nonlocal frames
        frames += 1
        over = time.perf_counter() >= end or window not in pyglet.app.windows
        if over or (until is not None and until()):
            pyglet.app.exit()

    queued = events_are_queued()
    rates = set_rates(window, step, step)  # or it would be updated more often than drawn
    pyglet.clock.schedule_interval(shown, step)
    try:
        pyglet.app.run(None)  # what `arcade.run` does; without a screen that one never comes back
    finally:
        pyglet.clock.unschedule(shown)
        # The loop has switched it off for good; without a loop, events are to wait in it again.
        queue_events(queued)
        if window in pyglet.app.windows:
            set_rates(window, *rates)
        else:  # the game has closed it
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
    """Play a window, and raise unless it holds a frame rate; for a test of a game.

    Example::

        def test_the_level_holds_60_fps():
            window = MyGame()
            arcade_prefabs.testing.assert_fps(window, 60, seconds=5)

    Args:
        window: The game's window, with the plugin or without it.
        fps: Frames a second; it is played a twelfth faster than that.
        seconds: How long it is measured.
        warm_up_s: How long it is played before.
        on_time: See `FrameMonitor.assert_fps`.
        longest_s: See there.

    Returns:
        The monitor, to be asked more.

    Raises:
        FrameRateError: It does not, or it ended before it was measured for long enough; says what
            was wrong, and what was to blame.
        ValueError: That is no frame rate, or no part of frames.
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
    wanted = FrameMonitor(fps)  # refuses what is no rate
    monitor = wanted if plugin is None else plugin.monitor
    usual = monitor.fps, monitor.hitch_s
    try:
        if plugin is None:
            watch_frames(window, wanted)
        # Frames are judged by the rate that is asked for, not by the one the game runs at.
        monitor.fps, monitor.hitch_s = wanted.fps, wanted.hitch_s
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
        wanted.close()
        if plugin is not None:
            monitor.fps, monitor.hitch_s = usual
    return monitor

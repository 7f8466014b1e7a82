"""The window without a screen that all tests of `FrameHooks` share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

# Before Arcade is imported, which looks at it once.
os.environ["ARCADE_HEADLESS"] = "True"

import arcade
import pyglet
import pytest

RATE = 1 / 60


class StageWindow(arcade.Window):
    """A window whose handlers a test may replace, and which counts the frames that it shows."""

    def __init__(self) -> None:
        self.flips = 0
        self.play: Callable[[float], bool | None] = lambda delta_time: None
        self.paint: Callable[[], None] = lambda: None
        self.shown: Callable[[], None] = lambda: None  # after each frame
        super().__init__(64, 48, "stage", antialiasing=False)

    def on_update(self, delta_time: float) -> bool | None:
        return self.play(delta_time)

    def on_draw(self) -> None:
        self.paint()

    def flip(self) -> None:
        super().flip()
        self.flips += 1
        self.shown()

    def __del__(self) -> None:
        # pyglet closes a window that is collected, and Arcade's `close` then forgets whichever
        # window is the current one by that time, though it be another.
        pass


class _Stage:
    """Keeps one window for all tests: a new one takes 0.4 s."""

    def __init__(self) -> None:
        self._window: StageWindow | None = None
        self._handlers: list[dict[str, object]] = []

    def window(self) -> StageWindow:
        """Returns the window as it was when it was new."""
        if self._window is None or self._window not in pyglet.app.windows:
            self._window = StageWindow()
            self._handlers = [dict(frame) for frame in self._window._event_stack]
        window = self._window
        arcade.set_window(window)
        window.switch_to()
        return window

    def clean(self) -> None:
        """Removes whatever a test has left in the window."""
        pyglet.window.Window._enable_event_queue = True  # `pyglet.app.run` turns it off for good
        window = self._window
        if window is None or window not in pyglet.app.windows:
            return
        window._current_view = None
        window._event_stack = [dict(frame) for frame in self._handlers]
        window._event_queue.clear()
        window._accumulated_draw_time = 0.0
        window.set_update_rate(RATE)
        window.set_draw_rate(RATE)
        window.flips = 0
        window.play = lambda delta_time: None
        window.paint = window.shown = lambda: None
        for name in ("flip", "close"):
            vars(window).pop(name, None)
        loop = pyglet.app.event_loop
        loop._event_stack = ()


_stage = _Stage()


@pytest.fixture
def window() -> Iterator[StageWindow]:
    """Gives a test the shared window, and cleans it afterwards."""
    assert arcade.headless, "something imported Arcade before ARCADE_HEADLESS was set"
    yield _stage.window()
    _stage.clean()


@pytest.fixture
def new_window() -> Iterator[Callable[[], StageWindow]]:
    """Makes windows for a test, and closes them afterwards."""
    windows: list[StageWindow] = []

    def make() -> StageWindow:
        windows.append(StageWindow())
        return windows[-1]

    yield make
    for window in windows:
        vars(window).pop("close", None)
        with suppress(Exception):
            window.close()
        # Arcade does not do this: the clock would go on with frames of a closed window.
        pyglet.clock.unschedule(window._dispatch_frame)
    pyglet.app.event_loop._event_stack = ()
    _stage.clean()

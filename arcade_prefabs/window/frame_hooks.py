"""`FrameHooks`: calls the plugin once in each drawn frame, whatever else handles the events.

The plugin needs one call (*tick*) in each frame, with the time of the game's update. A handler
pushed with `push_handlers(on_update=...)` gets it, but is silently lost: where a view above it
returns True, where sections are enabled (they always return True), after a `pop_handlers()` of the
game, and in headless `arcade.run()`, which calls no handlers (arcade/window_commands.py:124).

The way taken: such a handler, and a wrapper around `window.flip()`, which every loop calls at the
end of a frame. If a frame has had no tick by then, the wrapper ticks with measured time, and pushes
the handler again.

Ways not taken:

- Wrapping the window's `on_update`. A view that returns True keeps the event from it, and headless
  `arcade.run()` calls the `on_update` of the view instead.
- `pyglet.clock.schedule`. It ticks outside of frames, and not at all in headless `arcade.run()`.
- Only the wrapper of `flip`. A tick at the end of a frame comes after the game's update, so what is
  ready appears a frame later, and the game's own time (a paused or slowed game) is not known there.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import pyglet.app
from arcade.clock import GLOBAL_CLOCK

from .arcade_private import stop_frames
from .method_wrap import MethodWrap

if TYPE_CHECKING:
    import arcade

__all__ = ["FrameHooks"]

_log = logging.getLogger("arcade_prefabs")

# The most seconds of a tick in `flip`, which measures its time: after a dialog or a breakpoint,
# minutes may have passed, and no game can move by that in one step.
_LONGEST_S: Final = 0.25
# The handler is pushed again in the first three frames that miss it, and then in every 60th: in
# headless loops and under some views, pushing it again never helps.
_TRIES: Final = 3
_TRY_AGAIN_FRAMES: Final = 60


class _Way(Enum):
    """The origin of an update."""

    HANDLER = "the window's event"
    HAND = "the game's own call"


class FrameHooks:
    """Calls `tick` once in each frame of a window, and `end_frame` before the frame is shown.

    A frame lasts from one call of `window.flip()` to the next. The tick comes with the window's
    `on_update` or with a call of `update`, whichever is first in the frame; without either, it
    comes in `flip`. The window keeps this object alive, until `detach` or the end of the window.

    Example:
        >>> import arcade
        >>> def attach(window: arcade.Window) -> FrameHooks:
        ...     hooks = FrameHooks(window, tick=print, end_frame=print, closed=print)
        ...     hooks.enable()
        ...     return hooks

    Args:
        window: The window.
        tick: Called with the seconds of game time since its last call. Its exceptions reach the
            game; the frame counts as ticked.
        end_frame: Called after drawing, before the window shows the frame.
        closed: Called once, after the window was closed. Leaving the event loop, as `arcade.exit`
            does, does not close the window.
        clock: Returns seconds; measures frames without an update.

    Main thread.
    """

    def __init__(
        self,
        window: arcade.Window,
        *,
        tick: Callable[[float], None],
        end_frame: Callable[[], None],
        closed: Callable[[], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._window = window
        self._tick = tick
        self._end_frame = end_frame
        self._closed = closed
        self._clock = clock

        self._enabled = False
        self._attached = False
        self._over = window not in pyglet.app.windows  # closed
        self._busy = False  # in `tick` or `end_frame`, which may themselves cause updates and flips
        self._in_close = False

        self._first: _Way | None = None  # the origin of this frame's tick
        self._last: _Way | None = None  # the origin of the latest update
        self._last_count = 0  # `ticks` of Arcade's clock at the latest update
        self._carried_s = 0.0  # seconds of updates without a tick, for the next tick
        self._warned = False
        self._ticked_at = clock()
        self._missed = 0  # successive frames in which the handler was not called

        # Plain functions: pyglet keeps methods by weak references, and would drop them with the
        # game's last reference to the plugin (pyglet/event.py:211).
        def on_update(delta_time: float) -> None:
            if self._enabled:
                self._missed = 0
                self._arrive(_Way.HANDLER, delta_time)

        def on_window_close(window: object) -> None:
            self._window_closed(window)

        self._on_update = on_update
        self._on_window_close = on_window_close
        self._attach()

    @property
    def enabled(self) -> bool:
        """Whether each frame is ticked without a call of `update`. Main thread."""
        return self._enabled

    def enable(self) -> None:
        """Ticks each frame from now on, the present one included. Main thread."""
        if self._enabled or self._over:
            return
        self._attach()
        self._enabled = True
        self._missed = 0
        self._ticked_at = self._clock()
        self._window.push_handlers(on_update=self._on_update)

    def disable(self) -> None:
        """Stops calling `tick` and `end_frame`, except in `update`. Main thread."""
        if self._enabled:
            self._enabled = False
            self._window.remove_handlers(on_update=self._on_update)

    def update(self, delta_time: float) -> None:
        """Ticks, for games that call the plugin in their own `on_update` or loop.

        While the hooks are enabled, a call in a frame that the window's event has ticked already
        has no effect. Each of several calls without an event or a `flip` in between, as in a test
        or a loading screen, ticks. Does nothing once the window is closed.

        Args:
            delta_time: Seconds of game time. A value that is NaN, infinite or negative is logged
                once, and counts as 0.

        Main thread.
        """
        self._arrive(_Way.HAND, delta_time)

    def detach(self) -> None:
        """Disables the hooks, and removes handlers and wrappers from the window. Main thread."""
        self.disable()
        if self._attached:
            self._attached = False
            self._flip_wrap.undo()
            self._close_wrap.undo()
            self._loop.remove_handlers(on_window_close=self._on_window_close)

    def _attach(self) -> None:
        if self._attached or self._over:
            return
        self._attached = True
        self._first = None
        self._flip_wrap = MethodWrap(self._window, "flip", self._flip)
        # Two hooks for the end of the window, as each alone can be missed: an `on_window_close` of
        # the game that returns True swallows the event, and a call of `close` of the class does not
        # call the wrapper in the instance.
        self._close_wrap = MethodWrap(self._window, "close", self._close)
        self._loop = pyglet.app.event_loop
        self._loop.push_handlers(on_window_close=self._on_window_close)

    # Within a frame.

    def _arrive(self, way: _Way, delta_time: float) -> None:
        """Ticks for an update, unless this frame has had its tick."""
        if self._busy or self._over:
            return
        if not 0 <= delta_time < math.inf:
            # A sum with one such number would be NaN or infinite for ever.
            if not self._warned:
                self._warned = True
                _log.warning(
                    "an update has a delta_time of %g seconds: its time counts as 0; logged once",
                    delta_time,
                )
            delta_time = 0.0
        last, count = self._last, self._last_count
        self._last, self._last_count = way, GLOBAL_CLOCK.ticks
        # The game calls `update` again, and neither the window's event nor Arcade's clock has come
        # in between: it has a loop of its own, and waits for the plugin's work.
        alone = way is _Way.HAND and way is last and count == self._last_count
        if self._first is None:
            self._first = way
            self._run(delta_time + self._take_carried())
        elif alone or not self._enabled:
            self._run(delta_time + self._take_carried())
        elif way is self._first:
            # The game updates more often than it draws: the next tick gets the time.
            self._carried_s += delta_time
        # Otherwise one update has come both as an event and as a call.

    def _take_carried(self) -> float:
        carried, self._carried_s = self._carried_s, 0.0
        return carried

    def _run(self, delta_time: float) -> None:
        self._ticked_at = self._clock()
        self._busy = True
        try:
            self._tick(delta_time)
        finally:
            self._busy = False

    def _flip(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Ticks if the frame has had no tick, and ends the frame."""
        if self._busy or self._over:
            return real(*args, **kwargs)
        try:
            if self._enabled and self._first is None:
                self._heal()
                # The measured time includes that of updates without a tick.
                self._carried_s = 0.0
                self._run(min(max(self._clock() - self._ticked_at, 0.0), _LONGEST_S))
            if self._enabled:
                self._busy = True
                try:
                    self._end_frame()
                finally:
                    self._busy = False
        finally:
            self._first = None
        # `tick` or `end_frame` has closed the window: it has no OpenGL context any more.
        return None if self._over else real(*args, **kwargs)

    def _heal(self) -> None:
        """Pushes the handler again, on top of all others, which are called after it."""
        self._missed += 1
        if self._missed <= _TRIES or not self._missed % _TRY_AGAIN_FRAMES:
            self._window.remove_handlers(on_update=self._on_update)
            self._window.push_handlers(on_update=self._on_update)

    # The end of the window.

    def _close(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._in_close = True
        try:
            return real(*args, **kwargs)
        finally:
            self._in_close = False
            # A `close` of the game may ask the player, and keep the window open.
            if self._window not in pyglet.app.windows:
                self._end()

    def _window_closed(self, window: object) -> None:
        # Within `close`, `_close` calls `_end` after the window has closed completely.
        if window is not self._window or self._in_close:
            return
        try:
            self._end()
        except Exception:
            # An exception would keep pyglet's `close` from its further steps.
            _log.exception("closing the plugin of a closed window failed")

    def _end(self) -> None:
        if not self._over:
            self._over = True
            stop_frames(self._window)
            self.detach()
            self._closed()

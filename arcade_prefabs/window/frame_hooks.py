"""`FrameHooks`: one tick in each drawn frame, whatever else handles the window's events.

A handler pushed with `push_handlers(on_update=...)` is lost where a view above it returns True,
where sections are enabled (they always do), after somebody's `pop_handlers()`, and in headless
`arcade.run()`, which asks no handlers at all (arcade/window_commands.py:124). None of them says so.
But every loop calls `window.flip()` at the end of a frame. That is where a lost tick is noticed,
made up for, and the handler put back.
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

# A tick that was made up for tells measured time. Behind a dialog or a breakpoint that may be
# minutes, which no game wants to move by in one step.
_LONGEST_S: Final = 0.25
# Where the handler is skipped on purpose, pushing it again never helps: see the module.
_TRIES: Final = 3
_TRY_AGAIN_FRAMES: Final = 60


class _Way(Enum):
    """How an update reached us."""

    HANDLER = "the window's event"
    HAND = "the game's own call"


class FrameHooks:
    """Calls `tick` once in each frame that a window shows, and `end_frame` before it shows it.

    The tick comes with the window's `on_update`, or with `update` called by hand, whichever is
    first in the frame; or, where neither comes, at its end. A frame is what lies between two calls
    of `window.flip()`.

    The window keeps this object alive, until `detach` or the end of the window.

    Example:
        >>> import arcade
        >>> def attach(window: arcade.Window) -> FrameHooks:
        ...     hooks = FrameHooks(window, tick=print, end_frame=print, closed=print)
        ...     hooks.enable()
        ...     return hooks

    Args:
        window: Whose frames.
        tick: Called with the seconds of game time since its last call. What it raises reaches the
            game; the frame counts as ticked.
        end_frame: Called when the frame is drawn, before the window shows it.
        closed: Called once, after the window was closed in whatever way. Leaving the event loop,
            as `arcade.exit` does, is no closing.
        clock: Seconds, for the frames that no update tells the time of.

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
        self._busy = False  # in `tick` or `end_frame`, from where updates and flips may come too
        self._in_close = False

        self._first: _Way | None = None  # what brought this frame's tick
        self._last: _Way | None = None  # the frame's latest update
        self._last_count = 0  # of Arcade's clock, at that
        self._carried_s = 0.0  # of updates that had no tick
        self._told_time = False
        self._ticked_at = clock()
        self._missed = 0  # frames in a row that the handler was not asked in

        # Plain functions: pyglet keeps methods weakly, and would drop us with the user's last
        # reference (pyglet/event.py:211).
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
        """Whether frames are ticked by themselves. Main thread."""
        return self._enabled

    def enable(self) -> None:
        """Tick each frame from now on, this one included. Main thread."""
        if self._enabled or self._over:
            return
        self._attach()
        self._enabled = True
        self._missed = 0
        self._ticked_at = self._clock()
        self._window.push_handlers(on_update=self._on_update)

    def disable(self) -> None:
        """Tick no frame by itself any more, and end none. Main thread."""
        if self._enabled:
            self._enabled = False
            self._window.remove_handlers(on_update=self._on_update)

    def update(self, delta_time: float) -> None:
        """Tick by hand: the plain way, for `on_update` or for loops of one's own.

        While the hooks are enabled, a call in a frame that the window's event has ticked already
        changes nothing. Several calls with neither an event nor a `flip` between them, as in a test
        or behind a loading screen, tick each. Does nothing once the window is closed.

        Args:
            delta_time: Seconds of game time. One that is NaN, infinite or negative is logged once
                and counts as 0.

        Main thread.
        """
        self._arrive(_Way.HAND, delta_time)

    def detach(self) -> None:
        """Disable, and leave the window as it was; `enable` takes it up again. Main thread."""
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
        # Two ways of learning of the end, for each alone can be kept from us: a game's own
        # `on_window_close` that returns True to go on without windows takes the event away, and
        # whoever calls `close` of the class passes the instance by.
        self._close_wrap = MethodWrap(self._window, "close", self._close)
        self._loop = pyglet.app.event_loop
        self._loop.push_handlers(on_window_close=self._on_window_close)

    # Within a frame.

    def _arrive(self, way: _Way, delta_time: float) -> None:
        """Tick for an update, unless this frame has had its tick."""
        if self._busy or self._over:
            return
        if not 0 <= delta_time < math.inf:
            # Added up, one such number would stop the game's time for ever.
            if not self._told_time:
                self._told_time = True
                _log.warning(
                    "a frame was told to take %g seconds: its time counts as 0; logged once",
                    delta_time,
                )
            delta_time = 0.0
        last, count = self._last, self._last_count
        self._last, self._last_count = way, GLOBAL_CLOCK.ticks
        # The game calls again, and neither the window's event nor Arcade's clock says that time
        # went on: it has a loop of its own, and waits for what the tick does.
        alone = way is _Way.HAND and way is last and count == self._last_count
        if self._first is None:
            self._first = way
            self._run(delta_time + self._take_carried())
        elif alone or not self._enabled:
            self._run(delta_time + self._take_carried())
        elif way is self._first:
            # More updates than frames. Their time is the next tick's.
            self._carried_s += delta_time
        # Else the same update came in both ways.

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
        """Make up for the frame's tick where there was none, and end the frame."""
        if self._busy or self._over:
            return real(*args, **kwargs)
        try:
            if self._enabled and self._first is None:
                self._heal()
                # The measured time holds what updates without a tick have told.
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
        # Closed by one of the two: there is nothing left to show, nor an OpenGL context.
        return None if self._over else real(*args, **kwargs)

    def _heal(self) -> None:
        """Put the handler on top of the others, where it is asked first."""
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
            # A game's own `close` may have asked the player, and stayed open.
            if self._window not in pyglet.app.windows:
                self._end()

    def _window_closed(self, window: object) -> None:
        # Within `close`, that one ends us, after the window has done all of its closing.
        if window is not self._window or self._in_close:
            return
        try:
            self._end()
        except Exception:
            # In pyglet's `close` there is more to come, which an exception would prevent.
            _log.exception("closing what hangs on the window failed")

    def _end(self) -> None:
        if not self._over:
            self._over = True
            stop_frames(self._window)
            self.detach()
            self._closed()

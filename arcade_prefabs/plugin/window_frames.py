"""`WindowFrames`: wraps a window's events and `flip`, and reports its frames to a monitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import arcade
import pyglet.app
from pyglet.event import EventDispatcher

from ..errors import PluginError
from ..monitor import FrameMonitor, Hitch, Phase
from ..window.arcade_private import draw_rate, stop_frames
from ..window.events import register_events
from ..window.method_wrap import MethodWrap

__all__ = ["WindowFrames", "wanted_rate", "watch_frames"]

_PHASES: Final = {"on_draw": Phase.DRAW, "on_refresh": Phase.DRAW}
# The events of a frame, in loops that dispatch events: the first of them begins the frame.
_FRAME_EVENTS: Final = frozenset({"on_update", "on_fixed_update", "on_draw"})


class WindowFrames:
    """Wraps a window's event methods and its `flip` to report phases to a monitor.

    Pushed handlers would miss events that other handlers swallow (see `FrameHooks`); wrapped
    methods of the window miss none. In loops without events, as in headless `arcade.run()`, the
    whole work of the game counts as update. So does drawing in loops that call `dispatch_events`
    for queued events, such as `Window.test`.

    Each late frame is dispatched as an event of the window: ``on_frame_hitch(hitch)``.

    Args:
        window: The window.
        monitor: Gets the phases.
        follow_rate: Whether `set_draw_rate` of the window changes the monitor's frame rate.

    Raises:
        PluginError: The monitor is closed, or measures a window already.

    Main thread.
    """

    def __init__(
        self, window: arcade.Window, monitor: FrameMonitor, *, follow_rate: bool = False
    ) -> None:
        if monitor.closed:
            raise PluginError("the monitor is closed and cannot measure again: give a new one")
        if monitor.at_close is not None:
            raise PluginError("the monitor watches a window: give a new one, or close it before")
        self._window = window
        self._monitor = monitor
        self._begun = False  # whether an event has begun this frame
        self._depth = 0  # 1 within a wrapped event: events dispatched by its handlers do not count
        register_events(window, "on_frame_hitch")
        monitor.add_listener(self._late)
        monitor.at_close = self.detach
        self._wraps = [
            MethodWrap(window, "dispatch_event", self._event),
            MethodWrap(window, "dispatch_events", self._waiting_events),
            MethodWrap(window, "flip", self._flip),
        ]
        if follow_rate:
            self._wraps.append(MethodWrap(window, "set_draw_rate", self._set_rate))

    def detach(self) -> None:
        """Removes the wrappers from the window, and closes the monitor. May be called twice."""
        if self._wraps:
            for wrap in reversed(self._wraps):
                wrap.undo()
            self._wraps = []
            self._monitor.remove_listener(self._late)
            self._monitor.close()

    def _event(self, real: Callable[..., Any], kind: str, *args: Any, **kwargs: Any) -> Any:
        if self._depth:  # a handler dispatches an event: the handler's phase goes on
            return real(kind, *args, **kwargs)
        if kind in _FRAME_EVENTS:
            self._begin()
        return self._within(_PHASES.get(kind, Phase.UPDATE), real, kind, *args, **kwargs)

    def _waiting_events(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._depth:
            return real(*args, **kwargs)
        self._begin()
        return self._within(Phase.UPDATE, real, *args, **kwargs)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._monitor.begin_frame()

    def _within(self, phase: Phase, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        monitor = self._monitor
        self._depth = 1
        outer = monitor.enter(phase)
        try:
            return real(*args, **kwargs)
        finally:
            self._depth = 0
            monitor.leave(outer)

    def _flip(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        monitor = self._monitor
        if not self._begun:
            monitor.begin_untold()
        self._begun = False
        outer = monitor.enter(Phase.FLIP)
        try:
            return real(*args, **kwargs)
        finally:
            monitor.leave(outer)
            monitor.end_frame()

    def _set_rate(self, real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        self._monitor.expect(wanted_rate(self._window))
        return result

    def _late(self, hitch: Hitch) -> None:
        # Not the window's own `dispatch_event`, which is wrapped; see `WindowEvents`.
        if self._window in pyglet.app.windows:
            EventDispatcher.dispatch_event(self._window, "on_frame_hitch", hitch)


def wanted_rate(window: arcade.Window) -> float:
    """Returns the frame rate by which a window is judged: its draw rate, but at most 60."""
    return min(60.0, 1 / draw_rate(window))


def watch_frames(window: arcade.Window, monitor: FrameMonitor | None = None) -> FrameMonitor:
    """Measures the frames of a window without a plugin, until the window is closed.

    Args:
        window: The window.
        monitor: Measures the frames; by default a new one for the window's draw rate.

    Returns:
        The monitor.

    Raises:
        PluginError: The window or the monitor is closed, or the monitor measures a window already.

    Main thread.
    """
    if window not in pyglet.app.windows:
        raise PluginError("the window is closed: watch it while it is open")
    found = FrameMonitor(wanted_rate(window)) if monitor is None else monitor
    frames = WindowFrames(window, found, follow_rate=monitor is None)

    def close(real: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        if window not in pyglet.app.windows:
            stop_frames(window)
            found.close()
        return result

    def detach() -> None:
        closing.undo()
        frames.detach()

    closing = MethodWrap(window, "close", close)
    found.at_close = detach
    return found

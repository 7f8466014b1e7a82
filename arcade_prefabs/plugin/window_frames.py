"""`WindowFrames`: tells a monitor of the frames of a window."""

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
# Events that come in every frame of a loop which tells of them.
_FRAME_EVENTS: Final = frozenset({"on_update", "on_fixed_update", "on_draw"})


class WindowFrames:
    """Stands around a window's events and its `flip`, and tells a monitor how long they take.

    Handlers would be lost where others swallow events, see `FrameHooks`; what the window itself
    calls is not. Where frames come without events, as in headless `arcade.run()`, what the game
    does of them counts as update; so does drawing in loops that call `dispatch_events`, where
    events have waited in the window's queue (`Window.test` is one).

    Each frame that comes late is an event of the window, too: ``on_frame_hitch(hitch)``.

    Args:
        window: The window.
        monitor: Whom to tell.
        follow_rate: Whether the monitor asks of the game what the game asks of the window.

    Raises:
        PluginError: The monitor is closed, or watches a window already.

    Main thread.
    """

    def __init__(
        self, window: arcade.Window, monitor: FrameMonitor, *, follow_rate: bool = False
    ) -> None:
        if monitor.closed:
            raise PluginError("the monitor is closed: give a new one, it measures no more")
        if monitor.at_close is not None:
            raise PluginError("the monitor watches a window: give a new one, or close it before")
        self._window = window
        self._monitor = monitor
        self._told = False  # of this frame's beginning, by an event
        self._depth = 0
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
        """Leave the window as it was, and end the monitor; twice is fine."""
        if self._wraps:
            for one in reversed(self._wraps):
                one.undo()
            self._wraps = []
            self._monitor.remove_listener(self._late)
            self._monitor.close()

    def _event(self, real: Callable[..., Any], kind: str, *args: Any, **kwargs: Any) -> Any:
        if self._depth:  # by a handler: that one's phase goes on
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
        if not self._told:
            self._told = True
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
        if not self._told:
            monitor.begin_untold()
        self._told = False
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
        # See WindowEvents for why it is not the window's own method.
        if self._window in pyglet.app.windows:
            EventDispatcher.dispatch_event(self._window, "on_frame_hitch", hitch)


def wanted_rate(window: arcade.Window) -> float:
    """What a window's frames are judged by: 60 a second, or fewer if it asks for fewer."""
    return min(60.0, 1 / draw_rate(window))


def watch_frames(window: arcade.Window, monitor: FrameMonitor | None = None) -> FrameMonitor:
    """Measure the frames of a window that has no plugin, until it is closed.

    Args:
        window: The window.
        monitor: Whom to tell; a new one for its rate if none is given.

    Raises:
        PluginError: The window is closed, or the monitor is, or it watches a window already.

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

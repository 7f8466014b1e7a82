"""`WindowEvents`: dispatches events of prefabs to the window and its views."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from pyglet.event import EventDispatcher

from ..loading import LoadEvent

__all__ = ["WindowEvents", "register_events"]

_NAMES: Final = {
    "ready": "on_prefab_ready",
    "failed": "on_prefab_failed",
    "reloaded": "on_prefab_reloaded",
    "dependency_reloaded": "on_prefab_reloaded",
    "reload_failed": "on_prefab_failed",
    "broken": "on_prefab_failed",
}


class WindowEvents:
    """Dispatches events of the loader and of failed spawns to a window and its views.

    The events are ``on_prefab_ready(prefab_id)``, ``on_prefab_failed(prefab_id, error)`` and
    ``on_prefab_reloaded(prefab_id)``. For an image or a world that cannot be baked,
    ``on_prefab_failed`` has its id; prefabs with this image keep its last sound version. An error
    that hot reload has reported is not dispatched again by a load that fails with it.

    Args:
        window: The window; the events are registered there.

    Main thread.
    """

    def __init__(self, window: Any) -> None:
        # Not the window's `dispatch_event`: outside of `pyglet.app.run` it puts events into a
        # queue, which headless `arcade.run` never empties.
        self._dispatch: Callable[..., object] = partial(EventDispatcher.dispatch_event, window)
        register_events(window, *sorted(set(_NAMES.values())))

    def heard(self, event: LoadEvent) -> None:
        """Dispatches an event of the loader, if it concerns a prefab or a broken file."""
        name = _NAMES.get(event.kind)
        if name is None or event.told_before:
            return
        if _is_prefab(event.id) or event.kind in ("reload_failed", "broken"):
            if event.error is None:
                self._dispatch(name, event.id)
            else:
                self._dispatch(name, event.id, event.error)

    def spawn_failed(self, identifier: str, error: Exception) -> None:
        """Dispatches ``on_prefab_failed`` for a loaded prefab that cannot be spawned."""
        self._dispatch("on_prefab_failed", identifier, error)


def register_events(window: Any, *names: str) -> None:
    """Registers kinds of events with a window. May be called twice. Main thread."""
    for name in names:
        # pyglet keeps the names in a list of the class, and would append them for each window.
        if name not in window.event_types:
            window.register_event_type(name)


def _is_prefab(identifier: str) -> bool:
    path = identifier.partition("#")[0]
    return path.endswith(".ron") and not path.startswith("worlds/")

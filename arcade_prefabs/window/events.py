"""What happens to prefabs, as events of the window: a view that has such a method is told."""

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
    """Dispatches what the loader and the factory tell of prefabs to a window and its views.

    ``on_prefab_ready(prefab_id)``, ``on_prefab_failed(prefab_id, error)``, and
    ``on_prefab_reloaded(prefab_id)``. Of a picture or a world that cannot be baked, the id is its
    own: the prefabs that show the picture have the last good one. What hot reload told of a file
    is not told again when a load of it fails because of that.

    Args:
        window: The window, which learns their names.

    Main thread.
    """

    def __init__(self, window: Any) -> None:
        # Not the window's own: outside of `pyglet.app.run` that puts events into a queue, which
        # headless `arcade.run` never empties.
        self._dispatch: Callable[..., object] = partial(EventDispatcher.dispatch_event, window)
        register_events(window, *sorted(set(_NAMES.values())))

    def heard(self, event: LoadEvent) -> None:
        """The loader told of something."""
        name = _NAMES.get(event.kind)
        if name is None or event.told_before:
            return
        if _is_prefab(event.id) or event.kind in ("reload_failed", "broken"):
            if event.error is None:
                self._dispatch(name, event.id)
            else:
                self._dispatch(name, event.id, event.error)

    def spawn_failed(self, identifier: str, error: Exception) -> None:
        """Something that is loaded cannot be spawned."""
        self._dispatch("on_prefab_failed", identifier, error)


def register_events(window: Any, *names: str) -> None:
    """Let a window know of kinds of events; twice is fine. Main thread."""
    for name in names:
        # pyglet keeps them in a list of the class, and would have them there once for each window.
        if name not in window.event_types:
            window.register_event_type(name)


def _is_prefab(identifier: str) -> bool:
    path = identifier.partition("#")[0]
    return path.endswith(".ron") and not path.startswith("worlds/")

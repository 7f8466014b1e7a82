"""`LoadEvents`: sends the events of loads to listeners, in the order in which they happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from ...frames.callbacks import Callbacks

__all__ = ["Listener", "LoadEvent", "LoadEventKind", "LoadEvents"]

# The most events about broken files that one frame delivers, and that may wait for delivery: one
# change of a component can break thousands of files at once.
_AT_ONCE: Final = 20
_MOST_BROKEN: Final = 5_000

LoadEventKind: TypeAlias = Literal[
    "requested",
    "loaded",
    "ready",
    "failed",
    "cancelled",
    "retrying",
    "children",
    "evicted",
    "reloaded",
    "dependency_reloaded",
    "reload_failed",
    "broken",
    "memory_high",
    "memory_normal",
]


class LoadEvent(NamedTuple):
    """A change of an asset's state in the loader.

    Attributes:
        kind: One of these:

            - ``requested``: A load began.
            - ``loaded``: The asset itself is ready.
            - ``ready``: The asset and all of its dependencies are ready.
            - ``failed``: The asset or one of its dependencies could not be loaded.
            - ``cancelled``: The last handle was dropped or cancelled before the asset was ready.
            - ``retrying``: Reading failed with a transient error, and will be repeated.
            - ``children``: Children of a large prefab were decoded before the whole.
            - ``evicted``: The cache dropped the asset.
            - ``reloaded``: The asset has a new value, as its file changed.
            - ``reload_failed``: The changed file cannot be used; the asset keeps its old value.
            - ``dependency_reloaded``: A dependency of the asset has a new value.
            - ``broken``: A file cannot be baked, whether an asset of it is loaded or not; see
              `AsyncPrefabLoader.apply`.
            - ``memory_high``: Held assets alone exceed the cache's limit of bytes; without an id.
            - ``memory_normal``: They do not any more; without an id.
        id: The asset id; of ``broken`` the asset path.
        seconds: The time of the event, on the loader's clock.
        error: The error, for events about failures.
        told_before: Whether a ``broken`` event has reported the same error of the same file.
    """

    kind: LoadEventKind
    id: str
    seconds: float
    error: Exception | None = None
    told_before: bool = False


Listener: TypeAlias = Callable[[LoadEvent], None]


class LoadEvents:
    """Collects the events of a loader, and sends them to listeners at the end of each `drain`.

    Without listeners, no events are collected. `note` and `note_broken` may be called in any
    thread, all other methods on the main thread.

    Args:
        callbacks: Keeps the exceptions of listeners.
        clock: Returns seconds.
    """

    def __init__(self, callbacks: Callbacks, clock: Callable[[], float]) -> None:
        self._callbacks = callbacks
        self._clock = clock
        self._listeners: list[Listener] = []
        self._events: deque[LoadEvent] | None = None
        self._broken: deque[LoadEvent] | None = None

    def note(
        self,
        kind: LoadEventKind,
        identifier: str,
        error: Exception | None = None,
        told_before: bool = False,
    ) -> None:
        """Collects an event, if there are listeners."""
        events = self._events
        if events is not None:
            events.append(LoadEvent(kind, identifier, self._clock(), error, told_before))

    def note_broken(self, path: str, error: Exception) -> None:
        """Collects a ``broken`` event, if there are listeners."""
        broken = self._broken
        if broken is not None:
            broken.append(LoadEvent("broken", path, self._clock(), error))

    def add(self, listener: Listener) -> None:
        """Adds a listener, which gets all events from now on. Adding it twice has no effect."""
        if listener not in self._listeners:
            self._listeners.append(listener)
        if self._events is None:
            self._broken = deque(maxlen=_MOST_BROKEN)
            self._events = deque()

    def remove(self, listener: Listener) -> None:
        """Removes a listener; no error if it was not added."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self.clear()

    def clear(self) -> None:
        """Removes all listeners, and drops events that were not delivered."""
        self._listeners.clear()
        self._events = self._broken = None

    def deliver(self, seconds: float = 0.0) -> None:
        """Calls the listeners with the events collected since the last call.

        Args:
            seconds: The time that ``broken`` events may take, in seconds; at least one of them is
                delivered. All other events are delivered in any case.
        """
        events = self._events
        while events and self._listeners:
            self._tell(events.popleft())
        broken = self._broken
        if broken:
            until = self._clock() + seconds
            for _ in range(_AT_ONCE):
                if not broken or not self._listeners:
                    break
                self._tell(broken.popleft())
                if self._clock() >= until:
                    break

    def _tell(self, event: LoadEvent) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._callbacks.note_failure("a listener", error)

"""What happens to loads, told in the order in which it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

from ...frames.callbacks import Callbacks

__all__ = ["Listener", "LoadEvent", "LoadEventKind", "LoadEvents"]

# Broken files that listeners are told of in one frame, if its budget lasts, and that may wait for
# that: an edit of many files breaks many at once.
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
    """Something happened to an asset.

    Attributes:
        kind: ``requested``: a load of it began. ``loaded``: it is ready itself; ``ready``: all that
            it depends on, too. ``failed``: it, or something that it depends on, cannot be loaded.
            ``cancelled``: nobody wants it any more. ``retrying``: reading failed, and is tried
            again later. ``children``: parts of a large prefab came. ``evicted``: it left the
            cache. ``reloaded``, ``reload_failed``: its file changed. ``dependency_reloaded``: a
            file that it depends on did. ``broken``: a file cannot be baked, whether anything loads
            it or not; hot reload tells that, see `AsyncPrefabLoader.apply`. ``memory_high``,
            ``memory_normal``: what is held is by itself more than the cache may have, or is not
            any more; these have no id.
        id: The asset.
        seconds: When it happened, on the loader's clock.
        error: What went wrong.
        told_before: Whether the same error of the same file was told before, as ``broken``.
    """

    kind: LoadEventKind
    id: str
    seconds: float
    error: Exception | None = None
    told_before: bool = False


Listener: TypeAlias = Callable[[LoadEvent], None]


class LoadEvents:
    """Collects the events of a loader, and hands them to listeners at the end of each `drain`.

    Nothing is collected while nobody listens. `note` and `note_broken` may be called in any thread,
    everything else on the main thread.

    Args:
        callbacks: Told of exceptions of listeners.
        clock: Seconds.
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
        """Note an event for those who listen."""
        events = self._events
        if events is not None:
            events.append(LoadEvent(kind, identifier, self._clock(), error, told_before))

    def note_broken(self, path: str, error: Exception) -> None:
        """Note that a file is broken, for those who listen."""
        broken = self._broken
        if broken is not None:
            broken.append(LoadEvent("broken", path, self._clock(), error))

    def add(self, listener: Listener) -> None:
        """Tell a listener everything from now on. Adding it twice has no effect."""
        if listener not in self._listeners:
            self._listeners.append(listener)
        if self._events is None:
            self._broken = deque(maxlen=_MOST_BROKEN)
            self._events = deque()

    def remove(self, listener: Listener) -> None:
        """Tell a listener nothing any more; no error if it was not added."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            self.clear()

    def clear(self) -> None:
        """Remove all listeners, and forget what they were not told yet."""
        self._listeners.clear()
        self._events = self._broken = None

    def deliver(self, seconds: float = 0.0) -> None:
        """Tell listeners what happened since the last time.

        Args:
            seconds: How long it may take to tell of broken files; one is told in any case.
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

"""What happens to loads, told in the order in which it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .table import LoadTable

__all__ = ["Listener", "Listeners", "LoadEvent", "LoadEventKind"]

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
            file that it depends on did. ``memory_high``, ``memory_normal``: what is held is by
            itself more than the cache may have, or is not any more; these have no id.
        id: The asset.
        seconds: When it happened, on the loader's clock.
        error: What went wrong.
    """

    kind: LoadEventKind
    id: str
    seconds: float
    error: Exception | None = None


Listener: TypeAlias = Callable[[LoadEvent], None]


class Listeners:
    """Who is told of events. Main thread."""

    def __init__(self, table: LoadTable, note_failure: Callable[[str, Exception], None]) -> None:
        self._table = table
        self._note_failure = note_failure
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Tell it everything from now on."""
        self._all.append(listener)
        with self._table.lock:
            if self._table.news is None:
                self._table.news = deque()

    def remove(self, listener: Listener) -> None:
        """Tell it no more."""
        self._all.remove(listener)
        if not self._all:
            self.clear()

    def clear(self) -> None:
        """Tell nobody any more."""
        self._all.clear()
        with self._table.lock:
            self._table.news = None

    def tell(self) -> None:
        """Tell what happened since the last time."""
        news = self._table.news
        while news and self._all:
            event = news.popleft()
            for listener in tuple(self._all):
                try:
                    listener(event)
                except Exception as error:
                    self._note_failure("a listener", error)

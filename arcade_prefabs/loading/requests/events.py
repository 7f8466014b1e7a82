"""What happens to loads, told in the order in which it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .load_registry import LoadTable

__all__ = ["Listener", "Listeners", "LoadEvent", "LoadEventKind"]

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


class Listeners:
    """Who is told of events. Main thread."""

    def __init__(
        self,
        table: LoadTable,
        note_failure: Callable[[str, Exception], None],
        clock: Callable[[], float],
    ) -> None:
        self._table = table
        self._note_failure = note_failure
        self._clock = clock
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Tell it everything from now on."""
        self._all.append(listener)
        with self._table.lock:
            if self._table.news is None:
                self._table.news = deque()
                self._table.broken_news = deque(maxlen=_MOST_BROKEN)

    def remove(self, listener: Listener) -> None:
        """Tell it no more."""
        self._all.remove(listener)
        if not self._all:
            self.clear()

    def clear(self) -> None:
        """Tell nobody any more."""
        self._all.clear()
        with self._table.lock:
            self._table.news = self._table.broken_news = None

    def tell(self, seconds: float = 0.0) -> None:
        """Tell what happened since the last time.

        Args:
            seconds: How long it may take to tell of broken files; one is told in any case.
        """
        news = self._table.news
        while news and self._all:
            self._tell(news.popleft())
        broken = self._table.broken_news
        if broken:
            until = self._clock() + seconds
            for _ in range(_AT_ONCE):
                if not broken or not self._all:
                    break
                self._tell(broken.popleft())
                if self._clock() >= until:
                    break

    def _tell(self, event: LoadEvent) -> None:
        for listener in tuple(self._all):
            try:
                listener(event)
            except Exception as error:
                self._note_failure("a listener", error)

"""What handles ask of the loader: to be told, and to be let go."""

from __future__ import annotations

import logging
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...errors import LoadCancelledError, LoadTimeoutError
from ...frames.main_thread_queue import MainThreadQueue, Step, Steps
from ...frames.timers import Timers
from .asset_record import Entry
from .handle import ChildrenArrived, Handle
from .load_registry import LoadTable

__all__ = ["Claims"]

_log = logging.getLogger("arcade_prefabs")
# Handles that are let go, and values that are freed, in one step.
_AT_ONCE: Final = 25


class Claims:
    """The side of the loader that handles, batches and scripts know.

    Args:
        table: The loader's books.
        queue: Where callbacks are called.
        timers: Where time-outs and sleeps wait.
        clock: Seconds.

    Attributes:
        failures: Exceptions of callbacks and scripts, the last 100.
        dropped: What handles wanted that nobody has any more. Finalisers append to it.
    """

    def __init__(
        self,
        table: LoadTable,
        queue: MainThreadQueue,
        timers: Timers,
        clock: Callable[[], float],
    ) -> None:
        self.table = table
        self.queue = queue
        self.failures: deque[tuple[str, Exception]] = deque(maxlen=100)
        self.dropped: deque[tuple[Entry, int]] = deque()
        self._timers = timers
        self._clock = clock
        self._releasing = False

    # --------------------------------------------------------------------------------------- told

    def note_failure(self, what: str, error: Exception) -> None:
        """Keep and log an exception that has nowhere else to go."""
        self.failures.append((what, error))
        _log.error("%s failed", what, exc_info=error)

    def call(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Have something of the game's called in the budget of a frame. Any thread."""
        if not self.table.closed:
            work = partial(self._called, callback, arguments)
            self.queue.post(work, "callbacks", Step("callback"))

    def _called(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.table.closed:
            return
        try:
            callback(*arguments)
        except Exception as error:
            name = getattr(callback, "__qualname__", repr(callback))
            self.note_failure(f"the callback {name}", error)

    def add_callback(self, handle: Handle[Any], callback: Callable[[Handle[Any]], None]) -> None:
        """See `Handle.add_done_callback`."""
        with self.table.lock:
            told = handle.done
            if not told:
                handle._callbacks += (callback,)
                handle._entry.waiters[handle._serial] = handle
        if told and not handle.cancelled:
            self.call(callback, handle)

    def listen(self, handle: Handle[Any], listener: Callable[[], None]) -> None:
        """Call something at once when a handle is done."""
        with self.table.lock:
            told = handle.done
            if not told:
                handle._listeners += (listener,)
                handle._entry.waiters[handle._serial] = handle
        if told:
            listener()

    def unlisten(self, handle: Handle[Any], listener: Callable[[], None]) -> None:
        """Take a `listen` back; if nobody else waits, the handle may go."""
        with self.table.lock:
            handle._listeners = tuple(one for one in handle._listeners if one is not listener)
            waits = handle._listeners or handle._callbacks or handle._child_callbacks
            kept = None if waits else handle._entry.waiters.pop(handle._serial, None)
        del kept  # outside the lock: this may be the last reference

    def add_child_callback(
        self, handle: Handle[Any], callback: Callable[[ChildrenArrived], None]
    ) -> None:
        """See `Handle.on_children`."""
        entry = handle._entry
        with self.table.lock:
            before = entry.children
            if not handle.done:
                handle._child_callbacks += (callback,)
                entry.waiters[handle._serial] = handle
        if before:
            self.call(callback, ChildrenArrived(before, 0))

    def add_reload_callback(
        self, handle: Handle[Any], callback: Callable[[Handle[Any]], None]
    ) -> None:
        """See `Handle.on_reload`."""
        with self.table.lock:
            handle._reload_callbacks += (callback,)
            handle._entry.watchers[handle._serial] = weakref.ref(handle)

    # ------------------------------------------------------------------------------------- let go

    def cancel(self, handle: Handle[Any]) -> bool:
        """See `Handle.cancel`."""
        if handle.done:
            return False
        self._end(handle, LoadCancelledError(f"the load of {handle.id} was cancelled"))
        self.queue.post(handle._settle, "callbacks", Step("settle"))
        return True

    def _end(self, handle: Handle[Any], outcome: Exception) -> None:
        handle._outcome = outcome
        claim = (handle._entry, handle._serial)
        # Never wait for the lock: this may be a finaliser that runs in the middle of something
        # that this very thread does under it.
        if self.table.lock.acquire(blocking=False):
            try:
                self.table.unwant(*claim)
            finally:
                self.table.lock.release()
        else:
            self.dropped.append(claim)

    def time_out(self, handle: Handle[Any], seconds: float) -> None:
        """Give a handle up if it is not done after some seconds of the loader's clock."""
        reference = weakref.ref(handle)

        def due() -> None:
            late = reference()
            if late is not None and not late.done:
                message = f"{late.id} was not loaded within {seconds:g} s: it is {late.state.value}"
                self._end(late, LoadTimeoutError(message))
                late._settle()

        self._timers.add(self._clock() + seconds, due)

    def after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call something after some seconds of the loader's clock; gives how to take that back."""
        wanted = [call]

        def due() -> None:
            if wanted:
                wanted.pop()()

        self._timers.add(self._clock() + seconds, due)
        return wanted.clear

    def release_dropped(self) -> None:
        """Let go, in slices within the budget, what nobody has any more. Main thread."""
        if (self.dropped or self.table.dropped) and not self._releasing:
            self._releasing = True
            self.queue.post(self._release(), "retire", Step("let go"))

    def _release(self) -> Steps:
        try:
            while True:
                self.release_now(_AT_ONCE)
                if not self.dropped and not self.table.dropped:
                    break
                yield None
        finally:
            self._releasing = False

    def release_now(self, most: int) -> None:
        """Let go a number of dropped handles, and free as many values."""
        for _ in range(min(most, len(self.dropped))):
            entry, serial = self.dropped.popleft()
            with self.table.lock:
                self.table.unwant(entry, serial)
        for _ in range(min(most, len(self.table.dropped))):
            value = self.table.dropped.popleft()
            close = getattr(value, "close", None)
            if close is not None and hasattr(value, "gi_frame"):
                close()  # a decoder between two pages
            del value

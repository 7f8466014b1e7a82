"""Calls of the game's functions on the main thread, within the budget of frames.

A load ends in a loader thread's result, a cancellation or a time-out; whatever it was, the game's
callback must run on the main thread, must not make a frame late, and must not end the frame with
its own exception. So nobody calls a callback directly: it becomes a job of the `MainThreadQueue`,
and an exception in it is logged and kept in `Callbacks.failures`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from .main_thread_queue import MainThreadQueue, Step
from .timers import Timers

__all__ = ["Callbacks"]

_log = logging.getLogger("arcade_prefabs")
_MOST_FAILURES: Final = 100


class Callbacks:
    """Queues calls of the game's functions, now or after some time.

    Args:
        queue: The main thread's queue.
        timers: Where delayed calls wait.
        clock: Seconds.

    Attributes:
        queue: See above.
        failures: The last 100 exceptions of callbacks and scripts, each with what raised it.
        closed: Whether `close` was called. From then on `call` does nothing.
    """

    def __init__(self, queue: MainThreadQueue, timers: Timers, clock: Callable[[], float]) -> None:
        self.queue = queue
        self.failures: deque[tuple[str, Exception]] = deque(maxlen=_MOST_FAILURES)
        self.closed = False
        self._timers = timers
        self._clock = clock

    def note_failure(self, what: str, error: Exception) -> None:
        """Log and keep an exception that no caller would see. Any thread."""
        self.failures.append((what, error))
        _log.error("%s failed", what, exc_info=error)

    def call(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call a function of the game on the main thread, within the budget. Any thread."""
        if not self.closed:
            self.queue.post(partial(self._run, callback, arguments), "callbacks", Step("callback"))

    def _run(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.closed:
            return
        try:
            callback(*arguments)
        except Exception as error:
            name = getattr(callback, "__qualname__", repr(callback))
            self.note_failure(f"the callback {name}", error)

    def after(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call something after some seconds of the clock. Gives a function that undoes this."""
        wanted = [call]

        def due() -> None:
            if wanted:
                wanted.pop()()

        self._timers.add(self._clock() + seconds, due)
        return wanted.clear

    def close(self) -> None:
        """Make `call`, and the calls that wait in the queue, do nothing any more. Main thread."""
        self.closed = True

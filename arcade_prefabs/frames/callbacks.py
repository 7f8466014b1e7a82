"""`Callbacks`: calls the game's functions on the main thread, within the budget of frames.

A load may end in a loader thread, by a cancellation or by a time-out. In each case the game's
callback must run on the main thread, must not make a frame late, and must not end the frame with
its exception. So each call of a callback becomes a job of the `MainThreadQueue`; an exception in
it is logged and kept in `Callbacks.failures`.
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
    """Queues calls of the game's functions, at once or after a delay.

    Args:
        queue: Runs the calls.
        timers: Keeps delayed calls until they are due.
        clock: Returns seconds.

    Attributes:
        queue: The argument.
        failures: The last 100 exceptions of callbacks and scripts, each with the name of the
            callback or script.
        closed: Whether `close` was called. From then on `call` does nothing.
    """

    def __init__(self, queue: MainThreadQueue, timers: Timers, clock: Callable[[], float]) -> None:
        self.queue = queue
        self.failures: deque[tuple[str, Exception]] = deque(maxlen=_MOST_FAILURES)
        self.closed = False
        self._timers = timers
        self._clock = clock

    def note_failure(self, name: str, error: Exception) -> None:
        """Logs and keeps an exception that has no caller to reach. Any thread.

        Args:
            name: The code that raised it, such as ``the callback Game.on_gate``.
            error: The exception.
        """
        self.failures.append((name, error))
        _log.error("%s failed", name, exc_info=error)

    def call(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Queues a call of a function of the game. Any thread."""
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
        """Calls a function on the main thread after some seconds of the clock.

        Returns:
            A function that cancels the call.
        """
        pending = [call]

        def run() -> None:
            if pending:
                pending.pop()()

        self._timers.add(self._clock() + seconds, run)
        return pending.clear

    def close(self) -> None:
        """Stops all calls, including those that wait in the queue. Main thread."""
        self.closed = True

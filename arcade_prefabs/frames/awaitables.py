"""Makes handles, batches and scripts awaitable, both in scripts of the loader and in asyncio.

A script (`Script`) waits by yielding a `Park`, which says how the script is woken; asyncio waits
for a future of its event loop, which may run in another thread. `wait_for` chooses one of the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeAlias

__all__ = ["Completion", "Park", "Register", "enter", "running_script", "wait_for"]

# Registers a wake-up function, to be called when the wait is over; returns a function that removes
# it again.
Register: TypeAlias = Callable[[Callable[[], None]], Callable[[], None]]
_here = threading.local()


class Park:
    """A script yields this to wait until its wake-up function is called.

    Attributes:
        register: Registers the wake-up function of the script; None to go on in the next frame.
        forget: Removes the wake-up function again; the result of `register`.
    """

    __slots__ = ("forget", "register")

    def __init__(self, register: Register | None) -> None:
        self.register = register
        self.forget: Callable[[], None] = _nothing


def _nothing() -> None:
    pass


def running_script() -> object:
    """Returns the script that runs in this thread, or None."""
    return getattr(_here, "script", None)


def enter(script: object) -> None:
    """Sets the script that runs in this thread; None if no script runs."""
    _here.script = script


class Completion:
    """Calls listeners at the end of an operation, such as a load or a script.

    `finish` calls each listener exactly once, even if another thread adds it at the same moment:
    the thread that takes a listener from the list calls it, and taking is atomic.

    Attributes:
        done: Whether `finish` was called.

    Any thread.
    """

    __slots__ = ("_listeners", "done")

    def __init__(self) -> None:
        self.done = False
        self._listeners: list[Callable[[], object]] = []

    def __bool__(self) -> bool:
        """Whether there are listeners."""
        return bool(self._listeners)

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Adds a listener; calls it at once if the operation has ended.

        Returns:
            A function that removes the listener.
        """
        self._listeners.append(listener)
        if self.done:
            self._call_those_left()
        return partial(self._forget, listener)

    def finish(self) -> None:
        """Calls all listeners, in the order of `listen`. A second call does nothing."""
        self.done = True
        self._call_those_left()

    def wait(self) -> Generator[Any, Any, None]:
        """Waits for the end: ``yield from completion.wait()`` in an ``__await__``."""
        if not self.done:
            yield from wait_for(self.listen)

    def _call_those_left(self) -> None:
        while self._listeners:
            try:
                listener = self._listeners.pop(0)
            except IndexError:  # another thread took the last listener
                return
            listener()

    def _forget(self, listener: Callable[[], object]) -> None:
        # By identity: bound methods of equal objects are equal, but belong to different waits.
        for number, candidate in enumerate(self._listeners):
            if candidate is listener:
                with contextlib.suppress(IndexError):
                    del self._listeners[number]
                return


def wait_for(register: Register) -> Generator[Any, Any, None]:
    """Suspends the running script or asyncio task until its wake-up function is called.

    Args:
        register: Registers the wake-up function.

    Raises:
        RuntimeError: Neither a script nor an asyncio event loop runs in this thread.
    """
    if running_script() is not None:
        park = Park(register)
        try:
            yield park
        except BaseException:  # the script was cancelled while it waited
            park.forget()
            raise
        return
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not future.done():  # the task may have been cancelled meanwhile
            future.set_result(None)

    def wake_in_loop() -> None:
        # The event loop may run in another thread; if it was closed, its tasks have ended.
        try:
            loop.call_soon_threadsafe(wake)
        except RuntimeError:
            if not loop.is_closed():
                raise

    forget = register(wake_in_loop)
    try:
        yield from future
    except BaseException:
        forget()
        raise

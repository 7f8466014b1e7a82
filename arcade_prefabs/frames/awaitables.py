"""How `await` waits: in a script of the loader, or in asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeAlias

__all__ = ["Completion", "Park", "Register", "enter", "running_script", "wait_for"]

Register: TypeAlias = Callable[[Callable[[], None]], Callable[[], None]]
_here = threading.local()


class Park:
    """What a script yields that waits: it is told by calling what it registers.

    Attributes:
        register: Takes what to call, and gives how to take that back; None to go on in the next
            frame.
        forget: What `register` gave.
    """

    __slots__ = ("forget", "register")

    def __init__(self, register: Register | None) -> None:
        self.register = register
        self.forget: Callable[[], None] = _nothing


def _nothing() -> None:
    pass


def running_script() -> object:
    """The script that runs in this thread, or None."""
    return getattr(_here, "script", None)


def enter(script: object) -> None:
    """Note which script runs in this thread; None for none."""
    _here.script = script


class Completion:
    """The end of something, such as a load or a script, and the code that waits for it.

    `finish` calls each listener exactly once, also if one is added at the same moment by another
    thread: a listener is called by whoever takes it from the list, and taking is atomic.

    Attributes:
        done: Whether `finish` was called.

    Any thread.
    """

    __slots__ = ("_listeners", "done")

    def __init__(self) -> None:
        self.done = False
        self._listeners: list[Callable[[], object]] = []

    def __bool__(self) -> bool:
        """Whether anything waits for the end."""
        return bool(self._listeners)

    def listen(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call something at the end, or now if it has ended. Gives a function that undoes this."""
        self._listeners.append(listener)
        if self.done:
            self._call_those_left()
        return partial(self._forget, listener)

    def finish(self) -> None:
        """Call all listeners, in the order in which they were added. A second call does nothing."""
        self.done = True
        self._call_those_left()

    def wait(self) -> Generator[Any, Any, None]:
        """Wait for the end: ``yield from completion.wait()`` in an ``__await__``."""
        if not self.done:
            yield from wait_for(self.listen)

    def _call_those_left(self) -> None:
        while self._listeners:
            try:
                listener = self._listeners.pop(0)
            except IndexError:  # another thread took the last one
                return
            listener()

    def _forget(self, listener: Callable[[], object]) -> None:
        # By identity: bound methods of equal objects are equal, and belong to different waits.
        for number, one in enumerate(self._listeners):
            if one is listener:
                with contextlib.suppress(IndexError):
                    del self._listeners[number]
                return


def wait_for(register: Register) -> Generator[Any, Any, None]:
    """Wait until what is registered was called."""
    if running_script() is not None:
        park = Park(register)
        try:
            yield park
        except BaseException:  # it was closed here: whoever waits no more, wants no more
            park.forget()
            raise
        return
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not future.done():  # the task may have been cancelled meanwhile
            future.set_result(None)

    def told() -> None:
        # The loop may be another thread's; one that was closed has nobody who waits.
        try:
            loop.call_soon_threadsafe(wake)
        except RuntimeError:
            if not loop.is_closed():
                raise

    forget = register(told)
    try:
        yield from future
    except BaseException:
        forget()
        raise

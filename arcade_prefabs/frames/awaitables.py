"""How `await` waits: in a script of the loader, or in asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

__all__ = ["Park", "Register", "enter", "running_script", "wait_for"]

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

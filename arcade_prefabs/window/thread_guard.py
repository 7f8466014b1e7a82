"""`ThreadGuard`: refuses calls in other threads than the window's, where OpenGL fails silently."""

from __future__ import annotations

import threading

from ..errors import WrongThreadError

__all__ = ["ThreadGuard"]


class ThreadGuard:
    """Refuses calls in other threads than the one in which it was made.

    Attributes:
        thread: The identifier of this thread, as `threading.get_ident` returns it.

    Any thread.
    """

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    @property
    def here(self) -> bool:
        """Whether the calling thread is the one in which the guard was made."""
        return threading.get_ident() == self.thread

    def check(self, method: str) -> None:
        """Raises an error in other threads.

        Args:
            method: The name of the called method, for the message.

        Raises:
            WrongThreadError: The calling thread is another one.
        """
        if threading.get_ident() != self.thread:
            raise WrongThreadError(
                f"{method} was called in the thread {threading.current_thread().name!r}: it may be "
                "called in the window's thread only, for OpenGL fails silently in any other. Use "
                "`prefabs.call(function)`, which calls a function in the window's thread"
            )

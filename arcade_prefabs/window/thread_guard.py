"""The thread guard: OpenGL works in the main thread only, and fails silently in others."""

from __future__ import annotations

import threading

from ..errors import WrongThreadError

__all__ = ["ThreadGuard"]


class ThreadGuard:
    """Knows the thread it was made in, and refuses others.

    Attributes:
        thread: Its number, as `threading.get_ident` gives it.

    Any thread.
    """

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    @property
    def here(self) -> bool:
        """Whether this is that thread."""
        return threading.get_ident() == self.thread

    def check(self, what: str) -> None:
        """Refuse to go on in another thread.

        Raises:
            WrongThreadError: This is another one.
        """
        if threading.get_ident() != self.thread:
            raise WrongThreadError(
                f"{what} was called in the thread {threading.current_thread().name!r}: it may be "
                "called in the window's thread only, for OpenGL fails silently in any other. Hand "
                "it over: `prefabs.call(function)` has something done in the next frame"
            )

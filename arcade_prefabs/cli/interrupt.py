"""Ctrl-C: what was begun is ended in good order."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["Interrupt"]


class Interrupt:
    """Ctrl-C as an exception that is not lost, and that does not come while things are closed.

    Python loses a `KeyboardInterrupt` that happens to be raised inside a destructor or a callback;
    this one has been noted all the same.

    Attributes:
        asked: Whether Ctrl-C was pressed.

    Main thread; in others it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._closing = False
        self._ours = False

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        # Whoever starts a program in the background may want it deaf to Ctrl-C: so it stays.
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._ours = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._ours = False

    def pressed(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.asked

    def closing(self) -> None:
        """From now on another Ctrl-C does nothing: what is being closed must get closed."""
        self._closing = True

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if not self._closing:
            self.asked = True
            raise KeyboardInterrupt

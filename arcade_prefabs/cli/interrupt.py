"""`Interrupt`: handles Ctrl-C so that commands close the pipeline in order."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["Interrupt"]


class Interrupt:
    """Raises `KeyboardInterrupt` at Ctrl-C, and remembers it; raises none during `closing`.

    Python drops a `KeyboardInterrupt` that is raised inside a destructor or a callback; `asked` is
    set all the same.

    Attributes:
        asked: Whether Ctrl-C was pressed.

    Main thread; in other threads it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._closing = False
        self._ours = False

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        # A shell that starts a program in the background may let it ignore Ctrl-C: that is kept.
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
        """Ignores further Ctrl-C, so that closing is not interrupted."""
        self._closing = True

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if not self._closing:
            self.asked = True
            raise KeyboardInterrupt

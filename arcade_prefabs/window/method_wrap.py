"""`MethodWrap`: wraps one method of a window's instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["MethodWrap"]


class MethodWrap:
    """Replaces a method of a window's instance by a function that is called around it.

    The method may be one of the game's subclass, or a function that was assigned to the instance.

    Args:
        window: The window.
        name: The name of the method.
        around: Called in place of the method, with the method and its arguments; its result is the
            result of the call.

    Main thread.
    """

    def __init__(self, window: Any, name: str, around: Callable[..., Any]) -> None:
        self._window = window
        self._name = name
        self._around: Callable[..., Any] | None = around
        self._before: Any = vars(window).get(name)  # None: the method of the class
        setattr(window, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls ``around`` with the method; after `undo`, the method itself."""
        real = self._before
        if real is None:
            # Looked up in each call: `arcade.enable_timings` replaces the method of the class.
            method = getattr(type(self._window), self._name)
            bind = getattr(method, "__get__", None)
            real = method if bind is None else bind(self._window)
        if self._around is None:
            return real(*args, **kwargs)
        return self._around(real, *args, **kwargs)

    def undo(self) -> None:
        """Restores the method. If the wrap was itself wrapped, it stays, and only calls on."""
        self._around = None
        top = vars(self._window).get(self._name)
        if not isinstance(top, MethodWrap):
            return
        # Below this wrap may be others, which were undone while this one was above them.
        while isinstance(top, MethodWrap) and top._around is None:
            top = top._before
        if top is None:
            delattr(self._window, self._name)
        else:
            setattr(self._window, self._name, top)

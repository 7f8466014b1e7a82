"""`MethodWrap`: a call of ours around one of a window's methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["MethodWrap"]


class MethodWrap:
    """Stands in a window's instance before one of its methods, so that ours is called around it.

    What it wraps may be a method of the user's subclass, or what somebody else put into the
    instance before. Neither its result nor its exceptions are touched.

    Args:
        window: The window.
        name: The method's name.
        around: Called in its place, with the method and what it was called with.

    Main thread.
    """

    def __init__(self, window: Any, name: str, around: Callable[..., Any]) -> None:
        self._window = window
        self._name = name
        self._around: Callable[..., Any] | None = around
        self._before: Any = vars(window).get(name)  # None: the method of the class
        setattr(window, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call ours with the method, or the method itself once this was undone."""
        real = self._before
        if real is None:
            # Looked up in each call: `arcade.enable_timings` puts another one into the class.
            found = getattr(type(self._window), self._name)
            bind = getattr(found, "__get__", None)
            real = found if bind is None else bind(self._window)
        if self._around is None:
            return real(*args, **kwargs)
        return self._around(real, *args, **kwargs)

    def undo(self) -> None:
        """Take it away; where somebody wrapped it in turn, it stays and only passes on."""
        self._around = None
        top = vars(self._window).get(self._name)
        if not isinstance(top, MethodWrap):
            return
        # Below ours may stand one that was undone while ours was above it.
        while isinstance(top, MethodWrap) and top._around is None:
            top = top._before
        if top is None:
            delattr(self._window, self._name)
        else:
            setattr(self._window, self._name, top)

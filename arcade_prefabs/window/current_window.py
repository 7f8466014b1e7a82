"""Whether a plugin's window is the one that Arcade makes sprites for.

Arcade knows one current window. What is made while another one is current (sprite lists, textures)
goes into the wrong OpenGL context: nothing shows, or OpenGL reports an invalid operation, anywhere.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import arcade
import pyglet

from ..errors import PluginError

__all__ = ["made_current", "require_current"]


def require_current(window: arcade.Window, what: str) -> None:
    """Refuse what would be done in the context of another window.

    Args:
        window: The plugin's.
        what: What was called.

    Raises:
        PluginError: Another window is the current one, or none is.

    Main thread.
    """
    try:
        current = arcade.get_window()
    except RuntimeError:
        current = None
    if current is not window:
        other = "no window" if current is None else f"the window {current.caption!r}"
        raise PluginError(
            f"{what} is for the window {window.caption!r}, but Arcade's current one "
            f"(arcade.get_window()) is {other}, in which nothing of it would show: attach to the "
            "window that runs; a game with several windows calls arcade.set_window(window) and "
            "window.switch_to() before it works for another one"
        )
    if pyglet.gl.current_context is not window.context:
        window.switch_to()


@contextmanager
def made_current(window: arcade.Window) -> Generator[None]:
    """Work for a window, whichever one is current; that is the current one again afterwards.

    Main thread.
    """
    before, context = _current(), pyglet.gl.current_context
    if before is window and context is window.context:
        yield
        return
    arcade.set_window(window)
    window.switch_to()
    try:
        yield
    finally:
        if before is not window:
            arcade.set_window(before)
        if context is not None and context is not window.context:
            context.set_current()


def _current() -> arcade.Window | None:
    try:
        return arcade.get_window()
    except RuntimeError:
        return None

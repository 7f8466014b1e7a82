"""Checks and sets Arcade's current window, in whose OpenGL context sprites are made.

Arcade has one current window. Sprite lists and textures that are made while another window is
current get the wrong OpenGL context: they are not shown, or a later, unrelated OpenGL call reports
an invalid operation.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import arcade
import pyglet

from ..errors import PluginError

__all__ = ["made_current", "require_current"]


def require_current(window: arcade.Window, method: str) -> None:
    """Checks that a window is Arcade's current one, and makes its OpenGL context current.

    Args:
        window: The window of the plugin.
        method: The name of the called method, for the message.

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
            f"{method} is for the window {window.caption!r}, but Arcade's current one "
            f"(arcade.get_window()) is {other}, in which nothing of it would show: attach to the "
            "window that is open; a game with several windows calls arcade.set_window(window) and "
            "window.switch_to() before it uses the plugin of another one"
        )
    if pyglet.gl.current_context is not window.context:
        window.switch_to()


@contextmanager
def made_current(window: arcade.Window) -> Generator[None]:
    """Makes a window Arcade's current one in a ``with`` block, and restores the former one.

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

"""`Hud`: draws the help, a line of facts, and messages over the world."""

from __future__ import annotations

import time
from typing import Final

import arcade
from arcade.types import Color

__all__ = ["Hud"]

HELP: Final = """\
W A S D, arrows, or hold the mouse: drive
P: autopilot, on and off
wheel, + and -: zoom
E: place a prefab at the mouse     Q: choose another one
F1: this help     F2: frame times
F3: cells and distances     F4: freeze streaming
F12: screenshot and report     Esc: leave

Save a file in assets/prefabs, and the island changes.
Drop a new one there, and E places it."""
_BACK: Final = Color(0, 0, 0, 160)
_WHITE: Final = Color(255, 255, 255, 255)
_GOLD: Final = Color(255, 220, 120, 255)
_EVERY_S: Final = 0.5
_MESSAGE_S: Final = 6.0


class Hud:
    """Draws texts over the world.

    Laying out a new text takes a millisecond, so the line of facts changes only twice a second.

    Args:
        window: The window.

    Attributes:
        help_visible: Whether the help is shown.
    """

    def __init__(self, window: arcade.Window) -> None:
        self.help_visible = False
        self._window = window
        self._facts = arcade.Text("", 12, 12, _WHITE, 11)
        self._message = arcade.Text("", 12, 34, _GOLD, 11)
        self._help = arcade.Text(
            HELP, 0, 0, _WHITE, 12, multiline=True, width=620,
            anchor_y="top",
        )  # fmt: skip
        self._next = 0.0
        self._until = 0.0

    def say(self, message: str) -> None:
        """Shows a message for six seconds."""
        self._message.text = message.splitlines()[0][:150] if message else ""
        self._until = time.monotonic() + _MESSAGE_S

    @property
    def due(self) -> bool:
        """Whether the line of facts is due to be set again."""
        return time.monotonic() >= self._next

    def tell(self, facts: str) -> None:
        """Sets the line of facts."""
        self._next = time.monotonic() + _EVERY_S
        if facts != self._facts.text:
            self._facts.text = facts

    def draw(self) -> None:
        """Draws the texts."""
        with self._window.default_camera.activate():
            wide = self._facts.content_width + 12
            arcade.draw_lrbt_rectangle_filled(6, 12 + wide, 6, 30, _BACK)
            self._facts.draw()
            if time.monotonic() < self._until:
                wide = self._message.content_width + 12
                arcade.draw_lrbt_rectangle_filled(6, 12 + wide, 30, 52, _BACK)
                self._message.draw()
            if self.help_visible:
                left, top = (self._window.width - 640) / 2, self._window.height - 120
                arcade.draw_lrbt_rectangle_filled(left, left + 640, top - 230, top, _BACK)
                self._help.position = (left + 16, top - 14)
                self._help.draw()

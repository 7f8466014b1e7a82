"""`FrameGraph`: draws the times of the last frames as bars, over the game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import arcade
from arcade.types import Color

from .frame_ring import FrameRecord, Phase
from .summary import summarize

if TYPE_CHECKING:
    from .monitor import FrameMonitor

__all__ = ["FrameGraph"]

_FRAMES: Final = 240
# Sizes in pixels: width of a bar, height of the graph, height of the text above it.
_BAR: Final = 2
_HIGH: Final = 120
_TEXT: Final = 52
_MARGIN: Final = 8
# The frame time whose bar fills the graph: two frames at 60 a second, so that late frames stand
# out.
_FULL_S: Final = 2 / 60
# The text is renewed every so many frames, as laying it out takes a millisecond.
_EVERY: Final = 15
_BACK: Final = Color(0, 0, 0, 170)
_LINE: Final = Color(255, 255, 255, 90)
_COLORS: Final = {
    Phase.UPDATE: Color(90, 170, 255, 255),
    Phase.PLUGIN: Color(255, 200, 0, 255),
    Phase.DRAW: Color(120, 220, 120, 255),
    Phase.FLIP: Color(190, 130, 255, 255),
    Phase.GARBAGE: Color(255, 80, 80, 255),
    Phase.WAIT: Color(110, 110, 110, 150),
}


class FrameGraph:
    """Draws a bar for each of the last 240 frames, in the colors of its phases.

    From the bottom: update, plugin, draw, flip, garbage, waiting. The two lines stand for the time
    of one frame and of two; a frame whose bar exceeds the first line is late. Drawing the graph
    takes about a millisecond, which counts as the game's drawing.

    Example::

        prefabs.frame_graph.bind()          # F2 shows it

        def on_draw(self):
            ...
            prefabs.frame_graph.draw()      # above everything else

    Args:
        monitor: Measures the frames.
        window: The window to draw in.

    Attributes:
        visible: Whether `draw` draws it.

    Main thread.
    """

    def __init__(self, monitor: FrameMonitor, window: arcade.Window) -> None:
        self.visible = False
        self._monitor = monitor
        self._window = window
        self._text: arcade.Text | None = None
        self._drawn = 0
        self._key: int | None = None

    def toggle(self) -> None:
        """Shows the graph if it is hidden, and hides it if it is shown."""
        self.visible = not self.visible

    def bind(self, key: int = arcade.key.F2) -> None:
        """Lets a key show and hide the graph; the game's own handlers get the key, too."""
        self.unbind()
        self._key = key
        self._window.push_handlers(on_key_press=self._pressed)

    def unbind(self) -> None:
        """Removes the key handler. May be called twice."""
        if self._key is not None:
            self._key = None
            self._window.remove_handlers(on_key_press=self._pressed)

    def _pressed(self, symbol: int, _modifiers: int) -> None:
        if symbol == self._key:
            self.toggle()

    def lines(self) -> list[str]:
        """Returns the lines of text above the graph: rate, percentiles, and the last hitch."""
        monitor = self._monitor
        found = summarize(monitor.frames(_FRAMES), monitor.hitches, monitor.fps)
        lines = [
            f"{found.fps:.1f} a second, {found.on_time:.1%} on time",
            f"ms: 50 % {found.interval.p50 * 1e3:.1f}, 99 % {found.interval.p99 * 1e3:.1f}, "
            f"longest {found.interval.longest * 1e3:.1f}",
        ]
        late = sum(found.hitches.values())
        lines.append(f"{late} late, last {monitor.hitches[-1]}" if late else "none late")
        return lines

    def draw(self) -> None:
        """Draws the graph in the upper right corner of the window, if it is visible."""
        if not self.visible:
            return
        frames = self._monitor.frames(_FRAMES)
        with self._window.default_camera.activate():
            right = self._window.width - _MARGIN
            left = right - _FRAMES * _BAR
            bottom = self._window.height - _MARGIN - _HIGH - _TEXT
            arcade.draw_lrbt_rectangle_filled(
                left - 4, right + 4, bottom - 4, bottom + _HIGH + _TEXT, _BACK
            )
            newest = right - len(frames) * _BAR
            for color, points in _bars(frames, newest, bottom):
                arcade.draw_lines(points, color, _BAR)
            for count in (1, 2):
                y = bottom + _HIGH * count / self._monitor.fps / _FULL_S
                if y <= bottom + _HIGH:
                    arcade.draw_line(left, y, right, y, _LINE, 1)
            self._draw_text(left, bottom + _HIGH + _TEXT - 4)

    def _draw_text(self, x: float, y: float) -> None:
        text = self._text
        if text is None:
            wide = _FRAMES * _BAR
            text = self._text = arcade.Text(
                "", x, y, font_size=10, multiline=True, width=wide, anchor_y="top"
            )
        if self._drawn % _EVERY == 0:
            text.text = "\n".join(self.lines())
        self._drawn += 1
        text.x, text.y = x, y
        text.draw()


def _bars(frames: list[FrameRecord], left: float, bottom: float) -> Any:
    """Yields each color with the points of its vertical lines, one line for each frame."""
    floor = [float(bottom)] * len(frames)
    for phase, color in _COLORS.items():
        name = phase.name.lower()
        points: list[tuple[float, float]] = []
        for number, frame in enumerate(frames):
            begin = floor[number]
            end = min(begin + getattr(frame, name) / _FULL_S * _HIGH, bottom + _HIGH)
            if end - begin >= 0.5:
                x = left + (number + 0.5) * _BAR
                points += ((x, begin), (x, end))
            floor[number] = end
        if points:
            yield color, points

"""`StreamingOverlay`: draws what a world is doing over it, for debugging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import arcade
from arcade.types import Color

from ..pipeline import ALWAYS_LOADED
from .cells.grid import GridCell
from .cells.live_cell import CellState, CellStatus
from .planning.health import StreamingHealth
from .planning.streaming_sources import StreamingSource
from .renderer import CameraView

__all__ = ["StreamingOverlay"]

COLORS: Final = {
    CellState.QUEUED: Color(150, 150, 150, 60),
    CellState.LOADING: Color(255, 200, 0, 80),
    CellState.READY: Color(120, 170, 255, 80),
    CellState.ACTIVATING: Color(0, 140, 255, 90),
    CellState.ACTIVE: Color(0, 220, 90, 40),
    CellState.DEACTIVATING: Color(255, 120, 0, 60),
    CellState.FAILED: Color(255, 0, 60, 110),
}
_HEALTH: Final = {
    StreamingHealth.GOOD: Color(120, 255, 140, 255),
    StreamingHealth.SLOW: Color(255, 210, 80, 255),
    StreamingHealth.CRITICAL: Color(255, 90, 90, 255),
}
_WHITE: Final = Color(255, 255, 255, 200)
_FAINT: Final = Color(255, 255, 255, 110)
_AIM: Final = Color(255, 200, 0, 220)
_BACK: Final = Color(0, 0, 0, 160)
_EVERY_S: Final = 0.25
_WIDE: Final = 380
_LINE: Final = 16
_HEADING_S: Final = 0.5


class OverlaidWorld(Protocol):
    """The members of `StreamingManager` that the overlay reads; its key sets `frozen`."""

    @property
    def name(self) -> str: ...
    @property
    def frozen(self) -> bool: ...
    @frozen.setter
    def frozen(self, frozen: bool) -> None: ...
    @property
    def health(self) -> StreamingHealth: ...
    @property
    def sources(self) -> Sequence[StreamingSource]: ...
    @property
    def live_cells(self) -> Mapping[GridCell, CellStatus]: ...
    @property
    def failures(self) -> Mapping[str, Any]: ...
    def statistics(self) -> Any: ...


class StreamingOverlay:
    """Draws what a world is loading over the world: cells, distances, headings and figures.

    It is for debugging; `bind` lets keys show it and freeze streaming.
    Arcade takes a millisecond to lay text out, so the figures are updated four times a second.

    Attributes:
        visible: Whether the overlay is drawn.

    Main thread.
    """

    def __init__(
        self,
        world: OverlaidWorld,
        window: arcade.Window,
        clock: Callable[[], float],
        view: CameraView,
    ) -> None:
        self.visible = False
        self._world = world
        self._window = window
        self._view = view
        self._clock = clock
        self._text: arcade.Text | None = None
        self._text_at = float("-inf")
        self._keys: tuple[int | None, int | None] = (None, None)

    def toggle(self) -> None:
        """Shows the overlay, or hides it."""
        self.visible = not self.visible

    def bind(self, toggle: int | None = arcade.key.F3, freeze: int | None = arcade.key.F4) -> None:
        """Lets a key show and hide the overlay, and another freeze streaming; None for no key.

        The game's own handlers get the keys as well.
        """
        self.unbind()
        self._keys = (toggle, freeze)
        self._window.push_handlers(on_key_press=self._key)

    def unbind(self) -> None:
        """Removes the key handler of `bind`. May be called twice."""
        if self._keys != (None, None):
            self._keys = (None, None)
            self._window.remove_handlers(on_key_press=self._key)

    def _key(self, symbol: int, _modifiers: int) -> None:
        toggle, freeze = self._keys
        if symbol == toggle:
            self.toggle()
        elif symbol == freeze:
            self._world.frozen = not self._world.frozen

    def draw(self) -> None:
        """Draws the overlay if it is visible; the camera that draws the world has to be in use.

        `StreamingManager.draw` calls this, unless it is given layers to draw.
        """
        if not self.visible:
            return
        left, _, right, _ = self._view.measure()
        # One pixel of the window, in pixels of the world; a minimized window may have no width.
        thick = (right - left) / max(1, self._window.width)
        self._draw_cells(thick)
        for source in self._world.sources:
            x, y = source.position
            aim = source.aim
            arcade.draw_circle_outline(x, y, max(1.0, source.load_distance), _WHITE, 2 * thick)
            arcade.draw_circle_outline(x, y, max(1.0, source.unload_distance), _FAINT, thick)
            if aim.radius > 0:
                arcade.draw_circle_outline(aim.x, aim.y, aim.radius, _AIM, 2 * thick)
            vx, vy = source.velocity
            arcade.draw_line(x, y, x + vx * _HEADING_S, y + vy * _HEADING_S, _WHITE, 2 * thick)
        self._draw_text()

    def _draw_cells(self, thick: float) -> None:
        for live in self._world.live_cells.values():
            color = COLORS.get(live.state)
            if live.cell == ALWAYS_LOADED or color is None:
                continue
            left, bottom, right, top = live.box
            arcade.draw_lrbt_rectangle_filled(left, right, bottom, top, color)
            arcade.draw_lrbt_rectangle_outline(left, right, bottom, top, _FAINT, thick)

    def lines(self) -> list[str]:
        """Returns the lines of text that the overlay shows."""
        world = self._world
        now = world.statistics()
        states = ", ".join(
            f"{count} {state.value}" for state, count in now.live_cells.items() if count
        )
        frozen = ", frozen" if world.frozen else ""
        lines = [
            f"{world.name}: {world.health.value}{frozen}",
            states or "no cells",
            f"{now.entities:,} entities, {now.bytes / 2**20:.1f} MiB",
            f"{now.loads:,} loads, {now.unloads:,} unloads, {now.latency_s * 1000:.0f} ms each",
        ]
        if now.left_out:
            lines.append(f"no memory for {now.left_out} cells")
        if world.failures:
            lines.append(f"{len(world.failures)} failures")
        if now.unsaved:
            lines.append(f"{now.unsaved:,} changes to be written")
        return lines

    def _draw_text(self) -> None:
        now = self._clock()
        lines = self.lines()
        with self._window.default_camera.activate():
            top = self._window.height
            high = _LINE * len(lines) + 12
            arcade.draw_lrbt_rectangle_filled(0, _WIDE, top - high, top, _BACK)
            if self._text is None:
                self._text = arcade.Text(
                    "", 8, top - 8, font_size=10, multiline=True, width=_WIDE, anchor_y="top"
                )
            if now - self._text_at >= _EVERY_S:
                self._text_at = now
                self._text.text = "\n".join(lines)
                self._text.color = _HEALTH[self._world.health]
            self._text.y = top - 8
            self._text.draw()

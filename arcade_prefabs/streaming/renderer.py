"""`WorldRenderer`: draws what a camera sees of a world, layer by layer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..errors import shown
from ..pipeline import ALWAYS_LOADED
from ..prefab.suggestions import did_you_mean
from .cells.grid import Box, GridCell
from .cells.live_cell import CellState, LiveCell

__all__ = ["CameraView", "WorldRenderer"]

_log = logging.getLogger("arcade_prefabs")

# Pixels. No world is larger, see `checked_position`: a wider view is a zoom near 0.
_WIDEST: Final = 2e9

_DRAWN = (CellState.ACTIVE, CellState.FAILED)


class CameraView:
    """The part of the world that the camera in use shows.

    A camera whose position or zoom is NaN or infinite for a frame shows nothing. That frame must
    not unload the world, or end the game: the last box that was measured stays.

    Args:
        window: The window.
        name: The world's id, for the log.

    Main thread.
    """

    def __init__(self, window: Any, name: str) -> None:
        self._window = window
        self._name = name
        self._told = False
        self._box: Box = (0.0, 0.0, float(window.width), float(window.height))

    def measure(self) -> Box:
        """Left, bottom, right and top, in pixels; for a camera that is turned, the box around that.

        A camera from which no box can be computed is logged once.
        """
        try:
            box = _visible_box(self._window)
            wide, high = box[2] - box[0], box[3] - box[1]
            if 0 < wide < _WIDEST and 0 < high < _WIDEST:
                self._box = box
                return box
        except (ArithmeticError, Warning):  # no pixels, or no inverse: pyglet warns of that
            pass
        if not self._told:
            self._told = True
            left, bottom, right, top = self._box
            _log.warning(
                "%s was drawn with a camera whose view is no area: its position, zoom or viewport "
                "is zero, infinite or NaN. The world stays loaded around the last view, %g, %g to "
                "%g, %g; this is logged once",
                shown(self._name),
                left,
                bottom,
                right,
                top,
            )
        return self._box


def _visible_box(window: Any) -> Box:
    ctx = window.ctx
    left, bottom, width, height = ctx.viewport
    ratio = window.get_pixel_ratio()
    camera = ctx.current_camera
    # Cameras unproject places of the screen, which are not pixels of the framebuffer.
    corners = [
        camera.unproject((x / ratio, y / ratio))
        for x in (left, left + width)
        for y in (bottom, bottom + height)
    ]
    xs = [corner[0] for corner in corners]
    ys = [corner[1] for corner in corners]
    return (min(xs), min(ys), max(xs), max(ys))


class WorldRenderer:
    """Draws regions.

    Args:
        layers: Names of layers, from the bottom to the top; others that entities name come above.

    Attributes:
        hidden: Layers that are not drawn.
        known: All layers, from the bottom to the top; the lists of regions add theirs.

    Main thread.
    """

    def __init__(self, layers: Iterable[str]) -> None:
        self.hidden: set[str] = set()
        self.known: dict[str, None] = dict.fromkeys(layers)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that there are, from the bottom to the top."""
        return tuple(self.known)

    def learn(self, layers: Iterable[str]) -> None:
        """Know of the layers of a newer version of the world; their order counts."""
        order = dict.fromkeys([*layers, *self.known])
        self.known.clear()  # the same object: regions know it
        self.known.update(order)

    def check(self, layers: Iterable[str]) -> None:
        """Refuse the names of layers that there never were.

        Raises:
            ValueError: There is one that the world does not name.
        """
        for layer in layers:
            if layer not in self.known:
                hint = did_you_mean(layer, self.known)
                raise ValueError(f"the world has no layer {layer!r} so far; {hint}")

    def draw(
        self,
        live_cells: Mapping[GridCell, LiveCell],
        box: Box,
        slack: float,
        only: Iterable[str],
        options: Mapping[str, Any],
    ) -> int:
        """Draw layers of what is in a box; gives how many lists were drawn.

        Args:
            live_cells: All regions.
            box: What is to be seen, in pixels.
            slack: Pixels that sprites may reach beyond their cell.
            only: The layers; all if there are none.
            options: As `arcade.SpriteList.draw` takes them.
        """
        seen = [
            live
            for live in live_cells.values()
            if live.state in _DRAWN and _touch(live, box, slack)
        ]
        # From the back to the front, and always the same: the order in which they came is chance.
        seen.sort(key=_order)
        drawn = 0
        for layer in tuple(only) or self.known:
            if layer in self.hidden:
                continue
            for live in seen:
                for one in live.lists.of(layer):
                    one.draw(**options)
                    drawn += 1
        return drawn


def _touch(live: LiveCell, box: Box, slack: float) -> bool:
    left, bottom, right, top = live.box
    if live.cell.level > 0:
        slack *= 1 << live.cell.level
    return (
        left - slack <= box[2]
        and right + slack >= box[0]
        and bottom - slack <= box[3]
        and top + slack >= box[1]
    )


def _order(live: LiveCell) -> tuple[bool, int, int, int]:
    cell = live.cell
    # What is larger is likely to be ground; what is always there stands above.
    return (cell == ALWAYS_LOADED, -cell.level, -cell.row, cell.column)

"""`WorldRenderer`: draws the cells that a camera sees, layer by layer."""

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

# Pixels. Positions are within 1e9 (`checked_position`): a wider view is a zoom near 0.
_WIDEST: Final = 2e9

_DRAWN = (CellState.ACTIVE, CellState.FAILED)


class CameraView:
    """Measures the part of the world that the current camera shows.

    A camera whose position or zoom is NaN or infinite for one frame must not unload the world, or
    end the game: the last measured box is used instead.

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
        """Returns the box that the current camera shows, in pixels; a rotated view's bounding box.

        The first camera from which no box can be computed is logged.
        """
        try:
            box = _visible_box(self._window)
            wide, high = box[2] - box[0], box[3] - box[1]
            if 0 < wide < _WIDEST and 0 < high < _WIDEST:
                self._box = box
                return box
        except (
            ArithmeticError,
            Warning,
        ):  # a viewport of 0 pixels; pyglet warns of a singular matrix
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
    # `unproject` takes positions in the window, which may have fewer pixels than the framebuffer.
    corners = [
        camera.unproject((x / ratio, y / ratio))
        for x in (left, left + width)
        for y in (bottom, bottom + height)
    ]
    xs = [corner[0] for corner in corners]
    ys = [corner[1] for corner in corners]
    return (min(xs), min(ys), max(xs), max(ys))


class WorldRenderer:
    """Draws the sprite lists of live cells.

    Args:
        layers: Names of layers, the bottom one first; layers that only entities name come above.

    Attributes:
        hidden: Layers that are not drawn.
        known: All layers, the bottom one first; `CellSpriteLists` adds new ones.

    Main thread.
    """

    def __init__(self, layers: Iterable[str]) -> None:
        self.hidden: set[str] = set()
        self.known: dict[str, None] = dict.fromkeys(layers)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers, the bottom one first."""
        return tuple(self.known)

    def learn(self, layers: Iterable[str]) -> None:
        """Takes over the layers and their order after the world was baked anew."""
        order = dict.fromkeys([*layers, *self.known])
        self.known.clear()  # keep the object: the sprite lists of cells share it
        self.known.update(order)

    def check(self, layers: Iterable[str]) -> None:
        """Raises for a layer that the world does not have.

        Raises:
            ValueError: No layer of the world has that name.
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
        """Draws the layers of all cells that touch a box; returns how many sprite lists were drawn.

        Args:
            live_cells: All live cells.
            box: The visible box, in pixels.
            slack: Pixels that sprites may reach beyond their cell of level 0.
            only: The layers to draw; all if empty.
            options: Passed on to `arcade.SpriteList.draw`.
        """
        seen = [
            live
            for live in live_cells.values()
            if live.state in _DRAWN and _touch(live, box, slack)
        ]
        # A fixed order from back to front: `live_cells` is in the order in which loads ended.
        seen.sort(key=_order)
        drawn = 0
        for layer in tuple(only) or self.known:
            if layer in self.hidden:
                continue
            for live in seen:
                for sprites in live.lists.of(layer):
                    sprites.draw(**options)
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
    # Large entities are likely to be ground: lowest. Always-loaded ones come last, on top.
    return (cell == ALWAYS_LOADED, -cell.level, -cell.row, cell.column)

"""The grid of a world: cells of several levels, and which of them are near."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from ...pipeline import GridCell

__all__ = ["Box", "CellSet", "EveryCell", "Grid", "GridCell", "box_distance"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

# Farther out a float has no room left for parts of a pixel that matter.
_FARTHEST: Final = 1e9


class CellSet(Protocol):
    """Which cells have anything in them."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels that have any."""
        ...

    def __contains__(self, cell: object) -> bool:
        """Whether a cell has anything in it."""
        ...

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """The cells of a level between two corners, both included."""
        ...


class EveryCell:
    """All cells there are: worlds from code may have no end.

    Args:
        levels: How many levels there are.
    """

    def __init__(self, levels: int = 1) -> None:
        self.levels = tuple(range(levels))

    def __contains__(self, cell: object) -> bool:
        return isinstance(cell, GridCell) and cell.level in self.levels

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """The cells of a level between two corners, both included."""
        for column in range(left, right + 1):
            for row in range(bottom, top + 1):
                yield GridCell(column, row, level)


class Grid:
    """Where cells are.

    Entities of a level are at most as large as its cells, and belong to the cell that their middle
    is in; so they reach beyond it by half a cell.

    Args:
        cell_size: Pixels of a cell of level 0.

    Raises:
        ValueError: No cell can be of that size.

    Any thread.
    """

    def __init__(self, cell_size: float) -> None:
        if not 1 <= cell_size <= _FARTHEST:
            raise ValueError(f"cells have 1 to {_FARTHEST:,.0f} pixels, not {cell_size}")
        self.cell_size = float(cell_size)

    def size(self, level: int) -> float:
        """Pixels of the cells of a level."""
        return self.cell_size * (1 << level)

    def cell_at(self, x: float, y: float, level: int = 0) -> GridCell:
        """The cell of a level that a place is in."""
        size = self.size(level)
        return GridCell(math.floor(x / size), math.floor(y / size), level)

    def level_of(self, width: float, height: float) -> int:
        """The level for something of that size, in pixels."""
        larger = max(width, height)
        level = 0
        while self.size(level) < larger:
            level += 1
        return level

    def box(self, cell: GridCell) -> Box:
        """The place of a cell itself."""
        size = self.size(cell.level)
        left, bottom = cell.column * size, cell.row * size
        return (left, bottom, left + size, bottom + size)

    def reach(self, cell: GridCell) -> Box:
        """The place that distances to a cell are measured to.

        For level 0 that is the cell. For what is larger it is everything that may stand in it, and
        one cell of level 0 more: an object is there whenever a cell that it touches is.
        """
        left, bottom, right, top = self.box(cell)
        if not cell.level:
            return (left, bottom, right, top)
        more = self.size(cell.level) / 2 + self.cell_size
        return (left - more, bottom - more, right + more, top + more)

    def near(self, cells: CellSet, x: float, y: float, radius: float) -> Iterator[GridCell]:
        """The cells that have anything in them, no farther away than that.

        Costs as much as there are cells near, however large the world is.
        """
        limit = radius * radius
        for level in cells.levels:
            more = self.size(level) / 2 + self.cell_size if level else 0.0
            far = radius + more
            left, bottom, _ = self.cell_at(x - far, y - far, level)
            right, top, _ = self.cell_at(x + far, y + far, level)
            for cell in cells.within(level, left, bottom, right, top):
                if _squared(x, y, self.reach(cell)) <= limit:
                    yield cell

    def touching(self, cells: CellSet, box: Box) -> Iterator[GridCell]:
        """The cells whose reach touches a box."""
        for level in cells.levels:
            more = self.size(level) / 2 + self.cell_size if level else 0.0
            left, bottom, _ = self.cell_at(box[0] - more, box[1] - more, level)
            right, top, _ = self.cell_at(box[2] + more, box[3] + more, level)
            yield from cells.within(level, left, bottom, right, top)


def _squared(x: float, y: float, box: Box) -> float:
    left, bottom, right, top = box
    dx = left - x if x < left else x - right if x > right else 0.0
    dy = bottom - y if y < bottom else y - top if y > top else 0.0
    return dx * dx + dy * dy


def box_distance(x: float, y: float, box: Box) -> float:
    """Pixels from a place to a box; 0 inside."""
    return math.sqrt(_squared(x, y, box))

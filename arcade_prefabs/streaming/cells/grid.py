"""The grid of a world: cells on one or more levels, and which of them are near a position."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from ...pipeline import GridCell

__all__ = ["Box", "CellSet", "EveryCell", "Grid", "GridCell", "box_distance"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

# The limit of cell sizes, in pixels, which is that of positions (`checked_position`).
_FARTHEST: Final = 1e9


class CellSet(Protocol):
    """The cells that have entities."""

    @property
    def levels(self) -> tuple[int, ...]:
        """The grid levels that have cells in this set."""
        ...

    def __contains__(self, cell: object) -> bool:
        """Whether a cell is in this set."""
        ...

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """Yields the set's cells of a level between two corner cells, both included."""
        ...


class EveryCell:
    """The set of all cells, without an end, for a world that the game's code makes.

    Args:
        levels: Number of grid levels.
    """

    def __init__(self, levels: int = 1) -> None:
        self.levels = tuple(range(levels))

    def __contains__(self, cell: object) -> bool:
        return isinstance(cell, GridCell) and cell.level in self.levels

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """Yields all cells of a level between two corner cells, both included."""
        for column in range(left, right + 1):
            for row in range(bottom, top + 1):
                yield GridCell(column, row, level)


class Grid:
    """Converts between positions in pixels and cells.

    An entity belongs to the cell that its middle is in, on a level whose cells are at least as
    large as the entity. So entities reach beyond their cell by half a cell at most.

    Args:
        cell_size: Width and height of a cell of level 0, in pixels. Each level doubles it.

    Raises:
        ValueError: `cell_size` is not within 1 to 1e9.

    Any thread.
    """

    def __init__(self, cell_size: float) -> None:
        if not 1 <= cell_size <= _FARTHEST:
            raise ValueError(f"cells have 1 to {_FARTHEST:,.0f} pixels, not {cell_size}")
        self.cell_size = float(cell_size)

    def size(self, level: int) -> float:
        """Returns the width and height of the cells of a level, in pixels."""
        return self.cell_size * (1 << level)

    def cell_at(self, x: float, y: float, level: int = 0) -> GridCell:
        """Returns the cell of a level that a position is in."""
        size = self.size(level)
        return GridCell(math.floor(x / size), math.floor(y / size), level)

    def level_of(self, width: float, height: float) -> int:
        """Returns the lowest level whose cells are at least that large, in pixels."""
        larger = max(width, height)
        level = 0
        while self.size(level) < larger:
            level += 1
        return level

    def box(self, cell: GridCell) -> Box:
        """Returns the box of the cell itself."""
        size = self.size(cell.level)
        left, bottom = cell.column * size, cell.row * size
        return (left, bottom, left + size, bottom + size)

    def reach(self, cell: GridCell) -> Box:
        """Returns the box that distances to a cell are measured to.

        On level 0 that is the cell's own box. On higher levels it is the box of everything that an
        entity of the cell may cover, and one cell of level 0 more on each side: so a large entity
        is loaded whenever a small cell that it covers is.
        """
        left, bottom, right, top = self.box(cell)
        if not cell.level:
            return (left, bottom, right, top)
        more = self.size(cell.level) / 2 + self.cell_size
        return (left - more, bottom - more, right + more, top + more)

    def near(self, cells: CellSet, x: float, y: float, radius: float) -> Iterator[GridCell]:
        """Yields the cells of a set whose reach is within `radius` pixels of a position.

        The cost grows with the number of cells near the position, not with the size of the world.
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
        """Yields the cells of a set whose reach touches a box."""
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
    """Returns the pixels from a position to the nearest side of a box; 0 inside."""
    return math.sqrt(_squared(x, y, box))

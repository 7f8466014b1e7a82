"""`KnownCells`: the cells that a world's data has, and those that entities moved to in the game."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from .grid import CellSet, GridCell

__all__ = ["KnownCells", "cell_of"]

_LABEL: Final = re.compile(r"c(m?\d+)_(m?\d+)(?:_l(\d+))?")


def cell_of(label: str) -> GridCell | None:
    """Returns the cell of a label such as ``c3_m2``; None if no cell has that label. Any thread."""
    found = _LABEL.fullmatch(label)
    if found is None:
        return None
    column, row = (int(number.replace("m", "-")) for number in found.group(1, 2))
    return GridCell(column, row, int(found.group(3) or 0))


class KnownCells:
    """The cells of the world's data, and those that the game moved or added entities to.

    Args:
        told: The cells of the world's data.

    Main thread.
    """

    def __init__(self, told: CellSet) -> None:
        self.told = told
        self._more: dict[int, dict[GridCell, None]] = {}

    def add(self, cells: Iterable[GridCell]) -> None:
        """Adds cells that the game has moved or added entities to."""
        for cell in cells:
            if cell not in self.told:
                self._more.setdefault(cell.level, {})[cell] = None

    @property
    def levels(self) -> tuple[int, ...]:
        """The grid levels that have cells in this set."""
        return tuple(sorted({*self.told.levels, *self._more}))

    def __contains__(self, cell: object) -> bool:
        if cell in self.told:
            return True
        return isinstance(cell, GridCell) and cell in self._more.get(cell.level, {})

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """Yields the set's cells of a level between two corner cells, both included."""
        if level in self.told.levels:
            yield from self.told.within(level, left, bottom, right, top)
        more = self._more.get(level)
        if not more:
            return
        if len(more) <= (right - left + 1) * (top - bottom + 1):
            near: Iterable[GridCell] = more
        else:
            near = (
                cell
                for column in range(left, right + 1)
                for row in range(bottom, top + 1)
                if (cell := GridCell(column, row, level)) in more
            )
        for cell in near:
            inside = left <= cell.column <= right and bottom <= cell.row <= top
            if inside and cell not in self.told:
                yield cell

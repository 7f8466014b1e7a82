"""`KnownCells`: the cells that a world tells of, and those that something has gone to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from .grid import CellSet, GridCell

__all__ = ["KnownCells", "cell_of"]

_LABEL: Final = re.compile(r"c(m?\d+)_(m?\d+)(?:_l(\d+))?")


def cell_of(label: str) -> GridCell | None:
    """The cell of a label, ``c3_m2``; None if it is no cell's. Any thread."""
    found = _LABEL.fullmatch(label)
    if found is None:
        return None
    column, row = (int(one.replace("m", "-")) for one in found.group(1, 2))
    return GridCell(column, row, int(found.group(3) or 0))


class KnownCells:
    """A set of cells that grows by those where entities went.

    Args:
        told: The cells that the world tells of.

    Main thread.
    """

    def __init__(self, told: CellSet) -> None:
        self.told = told
        self._more: dict[int, dict[GridCell, None]] = {}

    def add(self, cells: Iterable[GridCell]) -> None:
        """Know of more cells."""
        for cell in cells:
            if cell not in self.told:
                self._more.setdefault(cell.level, {})[cell] = None

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels that have any."""
        return tuple(sorted({*self.told.levels, *self._more}))

    def __contains__(self, cell: object) -> bool:
        if cell in self.told:
            return True
        return isinstance(cell, GridCell) and cell in self._more.get(cell.level, {})

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """The cells of a level between two corners, both included."""
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

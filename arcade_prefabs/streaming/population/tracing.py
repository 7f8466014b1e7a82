"""`Tracer`: finds what stands at a place that a save knows, and the world alone can name.

Saves of the first format do not say what an entity is that was moved within its cell. It has to
appear when the cell that it stands in is loaded, and what it is stands in the cell of its place in
the world's file, which may be another one since cells have another size. That cell is near, for the
entity never left its old one; so the cells around it are read, the nearest first, until it is
found. This happens once: the row says afterwards what it is.

Rejected: to look for it when the cell is loaded that it stands in. A cell would wait for cells
around it, in each session anew, and while the player flies.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ...pipeline import ALWAYS_LOADED, WorldEntity
from ..cells.cell_providers import CellProvider
from ..cells.grid import Grid, GridCell
from ..cells.live_cell import CellLoad
from ..saves.entity_diff import EntityDiff
from ..saves.save_file import SavedEntity
from ..saves.save_format import NOWHERE

__all__ = ["Tracer"]

_log = logging.getLogger("arcade_prefabs")

# Cells that are read at once.
_AT_ONCE: Final = 16
# Cells in each direction that are read before all others of a world that has an end.
_NEAR: Final = 4
# Pixels, and cells at most, that are read in each direction of one that has none: cells have 1024
# pixels if nobody says.
_FAR_PIXELS: Final = 2048.0
_FAR: Final = 40
# Cells that are thought of in a frame: half a millisecond.
_THOUGHT_OF: Final = 500
# Pixels; farther out a float has no room for parts of one.
_FARTHEST: Final = 1e15


class Tracer:
    """Reads cells of a world until it has found every entity.

    Args:
        provider: The world.
        rows: What is saved of entities of which only the place and the id are known.

    Attributes:
        found: The same rows, with what the entities are, and in the cells of the world.
        lost: Ids that are nowhere, and what to say of that.

    Main thread.
    """

    def __init__(self, provider: CellProvider, rows: Iterable[SavedEntity]) -> None:
        self.found: list[SavedEntity] = []
        self.lost: dict[str, str] = {}
        self._provider = provider
        self._grid = Grid(provider.cell_size)
        cells = provider.cells
        self._all: Iterable[GridCell] | None = cells if isinstance(cells, Iterable) else None
        self._left = {row.id: row for row in rows}
        self._asked: set[GridCell] = set()
        self._loads: dict[GridCell, CellLoad] = {}
        self._next = self._wanted(list(self._left.values()))
        self._whole, self._ended = True, False

    def look(self) -> bool:
        """Take over what was read, and begin to read more; whether everything was found."""
        for cell, load in list(self._loads.items()):
            if load.done:
                del self._loads[cell]
                self._take(cell, load)
                load.stop()
        for _ in range(_THOUGHT_OF):
            if not self._left or len(self._loads) >= _AT_ONCE:
                break
            try:
                wanted = next(self._next)
            except StopIteration:
                self._ended = True
                break
            if wanted is not None and wanted not in self._asked:
                self._begin(wanted)
        if self._left and (self._loads or not self._ended):
            return False
        self.stop()
        self._give_up()
        return True

    def stop(self) -> None:
        """Read no more."""
        loads, self._loads = self._loads, {}
        for load in loads.values():
            load.stop()

    def _begin(self, cell: GridCell) -> None:
        self._asked.add(cell)
        try:
            self._loads[cell] = self._provider.begin(cell, urgent=True, changed=_nothing)
        except Exception as error:
            self._failed(cell, error)

    def _take(self, cell: GridCell, load: CellLoad) -> None:
        if load.error is not None:
            self._failed(cell, load.error)
        for told in load.rows or ():
            row = self._left.pop(told.id, None)
            if row is not None:
                self.found.append(self._placed(row, told, cell))

    def _failed(self, cell: GridCell, error: Exception) -> None:
        """It is told when the cell itself is loaded. Until then nobody knows who is in it."""
        self._whole = False
        _log.debug("%s cannot be searched: %s", cell.label, error)

    def _placed(self, row: SavedEntity, told: WorldEntity, home: GridCell) -> SavedEntity:
        here, size = home, 0.0
        place = _place(row)
        if home != ALWAYS_LOADED and place is not None:
            here = self._grid.cell_at(*place, home.level)
            size = self._grid.size(home.level) if home.level else 0.0
        diff = (row.diff or EntityDiff()).with_row(told, size)
        return row._replace(home=home.label, cell=here.label, diff=diff)

    def _give_up(self) -> None:
        """Note that the others are not to be looked for again, unless a cell could not be read."""
        left, self._left = self._left, {}
        if self._whole:
            who = "no cell near its place" if self._all is None else "no cell of the world"
            why = f"{who} has such an entity any more; what was saved of it is kept"
            self.lost = dict.fromkeys(left, why)
            self.found += (row._replace(home=NOWHERE, cell=NOWHERE) for row in left.values())

    # --------------------------------------------------------------------------------------- order

    def _wanted(self, rows: Sequence[SavedEntity]) -> Iterator[GridCell | None]:
        """The cells to be read: nobody is looked for who was found meanwhile. None is no cell."""
        if self._provider.has_always:
            yield ALWAYS_LOADED
        for row in rows:
            yield None
            place = _place(row)
            for cell in () if place is None else self._around(*place):
                if row.id not in self._left:
                    break
                yield cell
        yield from self._all or ()

    def _around(self, x: float, y: float) -> Iterator[GridCell]:
        """The cells near a place, ring by ring."""
        cells, size = self._provider.cells, self._grid.cell_size
        far = min(_FAR, math.ceil(_FAR_PIXELS / size)) if self._all is None else _NEAR
        for more in range(far + 1):
            for level in cells.levels:
                column, row, _ = self._grid.cell_at(x, y, level)
                left, bottom, right, top = column - more, row - more, column + more, row + more
                yield from cells.within(level, left, bottom, right, bottom)
                if more:
                    yield from cells.within(level, left, top, right, top)
                    yield from cells.within(level, left, bottom + 1, left, top - 1)
                    yield from cells.within(level, right, bottom + 1, right, top - 1)


def _place(row: SavedEntity) -> tuple[float, float] | None:
    """Where an entity stands; None if that is no place of a world."""
    place = None if row.diff is None else row.diff.place
    if place is None or not all(map(_fits, place[:2])):
        return None
    return place[0], place[1]


def _fits(number: float) -> bool:
    return abs(number) < _FARTHEST  # false for what is no number, too


def _nothing() -> None:
    pass

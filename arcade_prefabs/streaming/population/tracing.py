"""`Tracer`: finds out what entities are of which an old save has only the id and the position.

**The problem.** Saves of the first format do not say which prefab an entity has that was moved
within its cell: the world's data of that cell said so. If cells have another size since then,
nobody knows which cell's data has the entity, and the cell at its saved position cannot build it.

**The way taken.** The entity never left its old cell, so its home is near. When the world is
opened, the cells around the position are read, the nearest first, until one has the entity. This
happens once: afterwards its row in the save says what it is.

**The way rejected.** *Searching when the cell at the position is loaded*: that cell would wait for
the cells around it, in every session, while the player flies.
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

# Cells that are read at the same time.
_AT_ONCE: Final = 16
# Cells in each direction that are read before all others, in a world with a finite set of cells.
_NEAR: Final = 4
# In a world without an end: pixels, and cells at most, that are read in each direction. Two of the
# old cells, whose default size was 1024 pixels.
_FAR_PIXELS: Final = 2048.0
_FAR: Final = 40
# Candidate cells in a frame: half a millisecond.
_CANDIDATES: Final = 500
# Pixels; beyond that, floats have hardly any fractions.
_FARTHEST: Final = 1e15


class Tracer:
    """Reads cells of a world until every entity is found.

    Args:
        provider: The world's cells.
        rows: Saved entities of which only the id and the position are known.

    Attributes:
        found: The same rows, with what each entity is, and with its cells in the world's grid.
        lost: The ids that no cell has, each with a message.

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
        """Takes what was read, and begins further reads; returns whether the search has ended."""
        for cell, load in list(self._loads.items()):
            if load.done:
                del self._loads[cell]
                self._take(cell, load)
                load.stop()
        for _ in range(_CANDIDATES):
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
        """Stops all reads."""
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
        for entity in load.rows or ():
            row = self._left.pop(entity.id, None)
            if row is not None:
                self.found.append(self._placed(row, entity, cell))

    def _failed(self, cell: GridCell, error: Exception) -> None:
        """Notes that the search is not complete.

        The error itself is reported when the cell is loaded.
        """
        self._whole = False
        _log.debug("%s cannot be searched: %s", cell.label, error)

    def _placed(self, row: SavedEntity, entity: WorldEntity, home: GridCell) -> SavedEntity:
        here, size = home, 0.0
        position = _position(row)
        if home != ALWAYS_LOADED and position is not None:
            here = self._grid.cell_at(*position, home.level)
            size = self._grid.size(home.level) if home.level else 0.0
        diff = (row.diff or EntityDiff()).with_row(entity, size)
        return row._replace(home=home.label, cell=here.label, diff=diff)

    def _give_up(self) -> None:
        """Marks the rest as lost, not to be searched again, unless a cell could not be read."""
        left, self._left = self._left, {}
        if self._whole:
            who = "no cell near its place" if self._all is None else "no cell of the world"
            why = f"{who} has such an entity any more; what was saved of it is kept"
            self.lost = dict.fromkeys(left, why)
            self.found += (row._replace(home=NOWHERE, cell=NOWHERE) for row in left.values())

    # --------------------------------------------------------------------------------------- order

    def _wanted(self, rows: Sequence[SavedEntity]) -> Iterator[GridCell | None]:
        """Yields the cells to read, and None between two entities.

        An entity that was found in the meantime adds no more cells.
        """
        if self._provider.has_always:
            yield ALWAYS_LOADED
        for row in rows:
            yield None
            position = _position(row)
            for cell in () if position is None else self._around(*position):
                if row.id not in self._left:
                    break
                yield cell
        yield from self._all or ()

    def _around(self, x: float, y: float) -> Iterator[GridCell]:
        """Yields the cells near a position, ring by ring."""
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


def _position(row: SavedEntity) -> tuple[float, float] | None:
    """Returns the saved position of an entity; None if it is NaN, infinite or too far away."""
    transform = None if row.diff is None else row.diff.place
    if transform is None or not all(map(_fits, transform[:2])):
        return None
    return transform[0], transform[1]


def _fits(number: float) -> bool:
    return abs(number) < _FARTHEST  # false for NaN, too


def _nothing() -> None:
    pass

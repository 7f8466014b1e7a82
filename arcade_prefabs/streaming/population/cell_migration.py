"""`CellMigration`: entities that move from one cell to the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from ..cells.live_cell import CellState, Resident
from .cell_lifecycle import CellLifecycle

__all__ = ["CellMigration"]

# Of all entities in memory, so many are looked at in a frame at least and at most: about a second
# for 500 of them, and never more than 50 µs.
_LEAST: Final = 4
_MOST: Final = 64
_FRAMES: Final = 100


class CellMigration:
    """Sees who has left its cell, some entities in each frame, one after the other.

    Where the next cell is there, they change over to it. Where it is on its way, they stay with
    the old one until it is. Anywhere else they leave, and are there again when their new cell is.

    Main thread.
    """

    def __init__(self, lifecycle: CellLifecycle) -> None:
        self._lifecycle = lifecycle
        self._left: Iterator[Resident] = iter(())
        self._each = _LEAST
        self._seen = self._all = 0

    def look(self) -> None:
        """Look at some of them."""
        for resident in islice(self._left, self._each):
            spawn_task, live = resident.spawn_task, resident.live
            if spawn_task is not None and not spawn_task.over and live.state is CellState.ACTIVE:
                x, y = spawn_task.entity.position
                left, bottom, right, top = live.box
                if not (left <= x < right and bottom <= y < top):
                    self._move(resident)
            self._seen += 1
        if self._seen >= self._all:
            everybody = list(self._lifecycle.parts.population.residents.values())
            self._left = iter(everybody)
            self._seen, self._all = 0, len(everybody)
            self._each = max(_LEAST, min(_MOST, len(everybody) // _FRAMES))

    def _move(self, resident: Resident) -> None:
        parts = self._lifecycle.parts
        population = parts.population
        cell = population.place_now(resident)
        if cell == resident.live.cell or population.residents.get(resident.id) is not resident:
            return
        target = parts.live_cells.get(cell)
        if target is not None:
            if target.active:
                population.move(resident, target)
            return
        reach = parts.grid.reach(cell)
        new = cell not in parts.cells
        if new:
            parts.cells.add([cell])
        if any(one.motion.known and one.sees(reach) for one in parts.sources):
            # It will be there soon; one that was empty so far was not asked for yet.
            parts.sources.changed = parts.sources.changed or new
        else:
            population.retire(resident)

"""`CellMigration`: gives residents that have left their cell to the cell that they are in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from ..cells.live_cell import CellState, Resident
from .cell_lifecycle import CellLifecycle

__all__ = ["CellMigration"]

# Residents that are checked in a frame: a hundredth of all, at least 4 (500 residents take about a
# second) and at most 64 (50 µs).
_LEAST: Final = 4
_MOST: Final = 64
_FRAMES: Final = 100


class CellMigration:
    """Finds residents that have left their cell, by checking some of them in each frame, in turn.

    If their new cell is active, it takes them over. If it is wanted or on its way, they stay in the
    old cell until it is active. Otherwise they are unloaded, and built again with their new cell.

    Main thread.
    """

    def __init__(self, lifecycle: CellLifecycle) -> None:
        self._lifecycle = lifecycle
        self._left: Iterator[Resident] = iter(())
        self._each = _LEAST
        self._seen = self._all = 0

    def look(self) -> None:
        """Checks the next residents; called once a frame."""
        for resident in islice(self._left, self._each):
            spawn_task, live = resident.spawn_task, resident.live
            if spawn_task is not None and not spawn_task.over and live.state is CellState.ACTIVE:
                x, y = spawn_task.entity.position
                left, bottom, right, top = live.box
                if not (left <= x < right and bottom <= y < top):
                    self._move(resident)
            self._seen += 1
        if self._seen >= self._all:
            residents = list(self._lifecycle.parts.population.residents.values())
            self._left = iter(residents)
            self._seen, self._all = 0, len(residents)
            self._each = max(_LEAST, min(_MOST, len(residents) // _FRAMES))

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
        if any(source.motion.known and source.sees(reach) for source in parts.sources):
            # The cell will be loaded soon. If it had no entities before, it is not wanted yet.
            parts.sources.changed = parts.sources.changed or new
        else:
            population.retire(resident)

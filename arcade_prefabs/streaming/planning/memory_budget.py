"""`MemoryBudget`: counts the bytes that cells take, and leaves out wanted cells without room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..cells.grid import GridCell
from ..cells.live_cell import LiveCell
from .planner import CellDemand

__all__ = ["MemoryBudget"]

# Bytes of a sprite with its entity and its entries in indexes and sprite list, under CPython 3.11
# and Arcade 3.3; measured in tests/streaming/test_memory.py.
PART: Final = 2600
# Cells whose bytes are remembered after they were unloaded; about 100 bytes each.
_REMEMBERED: Final = 100_000


class MemoryBudget:
    """Counts the bytes of all cells in memory: world entities, sprites, prefabs, images.

    A prefab or an image that several cells use counts once.

    Args:
        limit: Bytes that cells may take, `StreamingSettings.memory_limit`.

    Attributes:
        limit: Bytes that cells may take.
        used: Bytes of all cells in memory.
        dropped: How many wanted cells the last call of `fitting` left out.

    Main thread.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.dropped = 0
        self._shared: dict[str, list[int]] = {}  # bytes, and how many cells use it
        self._shared_bytes = 0
        self._uses: dict[GridCell, list[str]] = {}
        self._own: dict[GridCell, int] = {}
        self._known: dict[GridCell, int] = {}  # own bytes of each cell, the last time it was loaded
        self._sum = 0
        self._most_shared = 0
        self._middle: GridCell | None = None

    def enter(self, live: LiveCell) -> None:
        """Counts a cell that has been loaded, or counts it again after a change."""
        self.leave(live.cell)
        uses: dict[str, int] = {}
        for handle in live.prefabs.values():
            uses.update(handle.sizes())
        own = live.size + live.parts * PART
        self._own[live.cell] = own
        self._uses[live.cell] = list(uses)
        self.used += own
        for name, size in uses.items():
            shared = self._shared.get(name)
            if shared is None:
                self._shared[name] = [size, 1]
                self._shared_bytes += size
                self.used += size
            else:
                shared[1] += 1
        if live.cell not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._sum -= self._known.pop(next(iter(self._known)))
            self._known[live.cell] = own
            self._sum += own
        else:
            self._sum += own - self._known[live.cell]
            self._known[live.cell] = own

    def leave(self, cell: GridCell) -> None:
        """Stops counting a cell that has been unloaded."""
        own = self._own.pop(cell, None)
        if own is None:
            return
        self.used -= own
        for name in self._uses.pop(cell):
            shared = self._shared[name]
            shared[1] -= 1
            if not shared[1]:
                self.used -= shared[0]
                self._shared_bytes -= shared[0]
                del self._shared[name]

    def expected(self, cell: GridCell) -> int:
        """Estimates the bytes of a cell: as last time, or the average of all cells so far."""
        known = self._known.get(cell)
        if known is not None:
            return known
        return self._sum // len(self._known) if self._known else 0

    def fitting(self, wanted: Mapping[GridCell, CellDemand]) -> dict[GridCell, CellDemand]:
        """Returns the wanted cells that there is room for, the most urgent first.

        Prefabs and images count in full as long as any cell uses them. The first cell without room
        ends the list, and all less urgent ones are left out with it, so that the world ends at one
        distance. A cell with a score of 0 or less always fits: a source is in it, or a preload
        request waits for it.
        """
        need = sum(map(self.expected, wanted))
        shared = self._shared_bytes
        if not self.dropped and need <= self.limit - shared:
            return dict(wanted)
        order = sorted(wanted.items(), key=lambda item: (item[1].score, item[0]))
        middle = order[0][0] if order else None
        # Once a cell is left out and unloaded, prefabs that only it used no longer count. That must
        # not make room for the same cell, which would be loaded and unloaded for ever: as long as
        # the most urgent cell stays the same, the largest sum so far counts.
        if self.dropped and middle == self._middle:
            shared = max(shared, self._most_shared)
        self._most_shared, self._middle = shared, middle
        room = self.limit - shared
        self.dropped = 0
        if need <= room:
            return dict(wanted)
        found: dict[GridCell, CellDemand] = {}
        for number, (cell, want) in enumerate(order):
            need = self.expected(cell)
            # A cell that a source is in, or that a preload request waits for, always fits.
            if need > room and want.score > 0:
                self.dropped = len(order) - number
                break
            room -= need
            found[cell] = want
        return found

    def excess(self, coming: Iterable[GridCell]) -> int:
        """Returns the bytes above the limit once the cells in `coming` are loaded as well."""
        return self.used + sum(self.expected(cell) for cell in coming) - self.limit

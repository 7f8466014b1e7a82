"""What cells take of memory, and which of them may stay when that is too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..cells.grid import GridCell
from ..cells.live_cell import LiveCell
from .planner import CellDemand

__all__ = ["MemoryBudget"]

# Bytes of a sprite with its entity, its place in the indexes and in its list, as CPython 3.11 and
# Arcade 3.3 have them; measured in tests/streaming/test_memory.py.
PART: Final = 2600
# Cells whose size is remembered, about 100 bytes each.
_REMEMBERED: Final = 100_000


class MemoryBudget:
    """Counts the bytes of what is streamed: content, entities, prefabs, images.

    A prefab or an image that several cells use counts once.

    Args:
        limit: Bytes; see `StreamingSettings`.

    Attributes:
        limit: See above.
        used: Bytes of all cells in memory.
        dropped: How many wanted cells the last plan had no room for.

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
        self._known: dict[GridCell, int] = {}  # what each cell takes by itself, with all it needs
        self._sum = 0
        self._most_shared = 0
        self._middle: GridCell | None = None

    def enter(self, live: LiveCell) -> None:
        """A cell was read: count it, or count it anew."""
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
        """A cell is not in memory any more."""
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
        """Bytes that a cell will take: as before, or as cells do on average."""
        known = self._known.get(cell)
        if known is not None:
            return known
        return self._sum // len(self._known) if self._known else 0

    def fitting(self, wanted: Mapping[GridCell, CellDemand]) -> dict[GridCell, CellDemand]:
        """Those of the wanted cells for which there is room, the most urgent first.

        What is shared counts in full, as long as anybody uses it. The first that finds no room
        ends it: what is farther away is left out as well, so that the world ends at one distance.
        """
        need = sum(map(self.expected, wanted))
        shared = self._shared_bytes
        if not self.dropped and need <= self.limit - shared:
            return dict(wanted)
        order = sorted(wanted.items(), key=lambda item: (item[1].score, item[0]))
        middle = order[0][0] if order else None
        # A cell that is left out takes with it what it shares with none. That must not make room
        # for it again, or it would come and go for ever: as long as nobody moves, the most counts.
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
            # What a player stands in, or waits for, is there whatever it takes.
            if need > room and want.score > 0:
                self.dropped = len(order) - number
                break
            room -= need
            found[cell] = want
        return found

    def excess(self, coming: Iterable[GridCell]) -> int:
        """Bytes over the limit, once the cells have come that are on their way."""
        return self.used + sum(self.expected(one) for one in coming) - self.limit

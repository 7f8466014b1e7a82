"""The cells of a world's grid, and `CellIndex`, a compact set of cells."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

__all__ = ["ALWAYS_LOADED", "CellIndex", "GridCell"]

_ALWAYS_LEVEL: Final = -1
_OFFSET: Final = 1 << 30
_SHIFT: Final = 31
_ROWS: Final = (1 << _SHIFT) - 1
_FARTHEST: Final = _OFFSET - 1


class GridCell(NamedTuple):
    """A cell of a world's grid.

    Attributes:
        column: Counted to the right; column 0 begins at x = 0.
        row: Counted upwards; row 0 begins at y = 0.
        level: The grid level: 0 for ordinary cells; the cells of each further level are twice as
            large.
    """

    column: int
    row: int
    level: int = 0

    @property
    def label(self) -> str:
        """The cell's label: ``c3_m2`` for column 3, row -2; ``c3_m2_l1`` on level 1."""
        if self.level == _ALWAYS_LEVEL:
            return "always"
        label = f"c{self.column}_{self.row}".replace("-", "m")
        return f"{label}_l{self.level}" if self.level else label


ALWAYS_LOADED: Final = GridCell(0, 0, _ALWAYS_LEVEL)
"""The cell of the entities that are loaded as long as the world is open, wherever its streaming
sources are."""


class CellIndex:
    """A set of cells with 8 bytes for each; a query takes time only for the cells that it returns.

    Args:
        cells: The cells, in any order.

    Any thread.
    """

    def __init__(self, cells: Iterable[tuple[int, int, int]]) -> None:
        keys: dict[int, list[int]] = {}
        for column, row, level in cells:
            keys.setdefault(level, []).append(_key(column, row))
        self._keys = {level: array("q", sorted(keys[level])) for level in sorted(keys)}

    @classmethod
    def from_bytes(cls, data: bytes) -> CellIndex:
        """Returns the index that `to_bytes` has written.

        Raises:
            ValueError: The data is damaged.
        """
        found = cls(())
        numbers = array("q")
        if len(data) % 8:
            raise ValueError("the list of cells is damaged")
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        at = 0
        while at < len(numbers):
            level, count = numbers[at], numbers[at + 1] if at + 1 < len(numbers) else -1
            at += 2
            if level in found._keys or not 0 <= count <= len(numbers) - at:
                raise ValueError("the list of cells is damaged")
            found._keys[level] = numbers[at : at + count]
            at += count
        return found

    def to_bytes(self) -> bytes:
        """Returns the index as bytes that are the same on every machine.

        For each level: its number, the number of its cells, and the cells, 8 bytes for each number.
        """
        numbers = array("q")
        for level, keys in self._keys.items():
            numbers.extend((level, len(keys)))
            numbers.extend(keys)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tobytes()

    def __repr__(self) -> str:
        return f"<CellIndex of {len(self):,} cells>"

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that have cells."""
        return tuple(self._keys)

    @property
    def size(self) -> int:
        """Bytes of memory that the index takes."""
        return sum(len(keys) * keys.itemsize for keys in self._keys.values())

    def __len__(self) -> int:
        return sum(map(len, self._keys.values()))

    def __iter__(self) -> Iterator[GridCell]:
        for level, keys in self._keys.items():
            for key in keys:
                yield GridCell((key >> _SHIFT) - _OFFSET, (key & _ROWS) - _OFFSET, level)

    def __contains__(self, cell: object) -> bool:
        if not isinstance(cell, GridCell):
            return False
        keys = self._keys.get(cell.level)
        if keys is None:
            return False
        key = _key(cell.column, cell.row)
        index = bisect_left(keys, key)
        return index < len(keys) and keys[index] == key

    def within(
        self, level: int, left: int, bottom: int, right: int, top: int
    ) -> Iterator[GridCell]:
        """Yields the cells of a level between two corners, both included."""
        keys = self._keys.get(level)
        if keys is None:
            return
        for column in range(left, right + 1):
            start = bisect_left(keys, _key(column, bottom))
            end = bisect_right(keys, _key(column, top), start)
            for index in range(start, end):
                yield GridCell(column, (keys[index] & _ROWS) - _OFFSET, level)


def _key(column: int, row: int) -> int:
    """Returns a sort key, by column and then by row, clamped to the largest possible world."""
    column = max(-_FARTHEST, min(_FARTHEST, column))
    row = max(-_FARTHEST, min(_FARTHEST, row))
    return ((column + _OFFSET) << _SHIFT) | (row + _OFFSET)

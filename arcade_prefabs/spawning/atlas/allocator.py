"""`ShelfAllocator`: assigns rectangles of a texture atlas to images, and uses freed ones again.

**The problem.** A streamed world adds and drops images all the time. An atlas that only ever
appends fills up; one that leaves holes as they are breaks its room into pieces that fit nothing.

**The way taken.** The atlas is divided into shelves from top to bottom, a shelf into spans from
left to right. An image goes onto a shelf of about its height. A freed span joins its free
neighbours, and a shelf without images joins the free shelves above and below, so that room which
was cut into pieces becomes whole again.

**The ways rejected.** *A tree of halves (guillotine, quadtree)*: freed leaves join only with their
sibling. *A skyline*: it packs best, but cannot free anything.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

__all__ = ["AtlasRect", "ShelfAllocator"]

# Heights of shelves are rounded up to steps of a sixteenth: images of slightly different heights
# share a shelf, at the price of a sixteenth of its height at most.
_STEPS: Final = 16
# A shelf that is so many times higher than an image is used only if no new shelf can be begun.
_TOO_HIGH: Final = 1.5


class AtlasRect(NamedTuple):
    """A rectangle of the atlas, in pixels from its top left corner."""

    x: int
    y: int
    width: int
    height: int


class _Shelf:
    """A strip of the atlas, as wide as the atlas.

    Attributes:
        y: Pixels from the top of the atlas.
        height: Pixels.
        used: How many images are in the shelf.
        free: Free spans ``(x, width)`` from left to right; no two of them touch.
        widest: The width of the widest free span.
    """

    __slots__ = ("free", "height", "used", "widest", "y")

    def __init__(self, y: int, height: int, width: int) -> None:
        self.y = y
        self.height = height
        self.used = 0
        self.free = [(0, width)]
        self.widest = width

    def take(self, width: int) -> int:
        """Takes a span out of the narrowest free one that is wide enough; returns its x.

        There has to be one: see `widest`.
        """
        number = 0
        if len(self.free) > 1:
            best = min((span for span in self.free if span[1] >= width), key=lambda span: span[1])
            number = bisect_left(self.free, best)
        x, room = self.free[number]
        if room == width:
            del self.free[number]
        else:
            self.free[number] = (x + width, room - width)
        self.used += 1
        self._measure()
        return x

    def give_back(self, x: int, width: int) -> None:
        """Frees a span, and joins it with its free neighbours."""
        number = bisect_left(self.free, (x, 0))
        if number < len(self.free) and self.free[number][0] == x + width:
            width += self.free.pop(number)[1]
        if number and sum(self.free[number - 1]) == x:
            number -= 1
            before = self.free.pop(number)
            x, width = before[0], before[1] + width
        self.free.insert(number, (x, width))
        self.used -= 1
        self._measure()

    def _measure(self) -> None:
        if len(self.free) == 1:
            self.widest = self.free[0][1]
        else:
            self.widest = max([span[1] for span in self.free], default=0)


class ShelfAllocator:
    """Assigns rectangles of an area, and takes them back.

    Example:
        >>> allocator = ShelfAllocator(256, 256)
        >>> rect = allocator.take(64, 64)
        >>> rect
        AtlasRect(x=0, y=0, width=64, height=64)
        >>> allocator.give_back(rect)
        >>> allocator.take(256, 256) is not None
        True

    Args:
        width: Pixels of the area.
        height: Pixels of the area.

    Attributes:
        width: Pixels of the area.
        height: Pixels of the area.
        used_pixels: Pixels of all assigned rectangles.

    One thread at a time.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.used_pixels = 0
        self._shelves = [_Shelf(0, height, width)]  # from top to bottom, without gaps
        self._taken: dict[tuple[int, int], tuple[AtlasRect, _Shelf]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, width: int, height: int) -> AtlasRect | None:
        """Assigns a free rectangle; returns None if there is none of that size."""
        if not 0 < width <= self.width or not 0 < height <= self.height:
            return None
        shelf = self._find(width, height)
        if shelf is None:
            return None
        rect = AtlasRect(shelf.take(width), shelf.y, width, height)
        self._taken[rect.x, rect.y] = (rect, shelf)
        self.used_pixels += width * height
        return rect

    def give_back(self, rect: AtlasRect) -> None:
        """Frees a rectangle.

        Raises:
            KeyError: The rectangle is not assigned.
        """
        known, shelf = self._taken.pop((rect.x, rect.y))
        self.used_pixels -= known.width * known.height
        shelf.give_back(known.x, known.width)
        if not shelf.used:
            self._join(shelf)

    def _find(self, width: int, height: int) -> _Shelf | None:
        """Returns the shelf of least height with room; a new one if all are much too high."""
        best: _Shelf | None = None
        empty: _Shelf | None = None
        for shelf in self._shelves:
            if shelf.height < height or shelf.widest < width:
                continue
            if not shelf.used:
                if empty is None or shelf.height < empty.height:
                    empty = shelf
            elif best is None or shelf.height < best.height:
                best = shelf
        if best is not None and (empty is None or best.height <= height * _TOO_HIGH):
            return best
        return None if empty is None else self._begin(empty, height)

    def _begin(self, empty: _Shelf, height: int) -> _Shelf:
        """Cuts a new shelf off an empty one."""
        step = max(1, (1 << height.bit_length()) // (2 * _STEPS))
        height = min(empty.height, -(-height // step) * step)
        rest = empty.height - height
        if rest:
            empty.height = height
            number = self._number(empty)
            self._shelves.insert(number + 1, _Shelf(empty.y + height, rest, self.width))
        return empty

    def _join(self, shelf: _Shelf) -> None:
        """Joins an empty shelf with its empty neighbours."""
        number = self._number(shelf)
        for other in (number + 1, number - 1):
            if 0 <= other < len(self._shelves) and not self._shelves[other].used:
                neighbour = self._shelves.pop(other)
                shelf.y = min(shelf.y, neighbour.y)
                shelf.height += neighbour.height

    def _number(self, shelf: _Shelf) -> int:
        return bisect_left(self._shelves, shelf.y, key=lambda other: other.y)

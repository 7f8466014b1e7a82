"""`InstanceList`: a sprite list filled from arrays, which makes sprite objects only on access.

**The problem.** Arcade's `SpriteList` keeps two things of each sprite: rows of five arrays, which
the graphics card draws, and a Python object, which takes 1 kB and most of the time. A world of
grass and rocks needs the rows of all, and the objects of the few that the game touches.

**The way taken.** A subclass of `SpriteList` whose rows come as whole arrays. Each row is an
*instance*: drawn, but without an object. An access by index, by iteration or by a collision
*promotes* the instance: `make` makes the object, which takes over the row, so that nothing changes
on the screen. From then on it is a sprite like any other. Arcade's own methods work on it
unchanged, as their two containers of sprites, ``sprite_list`` and ``sprite_slot``, are replaced by
objects that answer from the rows: `_Sprites` and `_Slots`.

A collision has to find sprites without promoting all of them. So the list always has a spatial
hash of rows instead of sprites (`_SpatialHash`). It is filled at the first collision check, so a
list without collision checks never pays for it.

**The ways rejected.** *A list of placeholders* (`None` for each instance): 8 bytes and a write for
each, and every reader has to know of them. *`SpriteSequence` only*, without Arcade's class behind
it: games call `append`, `remove` and `sort` on the lists of a scene. *Promoting all at the first
collision*: 3 ms for each thousand, in the frame in which the player meets the cell.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from arcade import BasicSprite, SpriteList, Texture
from arcade.sprite_list.spatial_hash import SpatialHash
from arcade.types import Rect

__all__ = ["InstanceList", "InstanceRows", "InstanceRun"]

# Arcade's arrays come in multiples of that: arcade/sprite_list/sprite_list.py:36.
_MULTIPLE: Final = 256
_SQUARE: Final = 128
# What is in more squares than that is looked at in every question: cheaper than to note it.
_MOST_SQUARES: Final = 1000
# A sprite with one texture is within this part of its longer side from its center, turned or not.
_HALF_DIAGONAL: Final = math.sqrt(2) / 2


class InstanceRun(NamedTuple):
    """Rows next to each other that show the same texture.

    Attributes:
        texture: What they show.
        rows: How many there are.
        reach: How far the hit box goes from the center, as a part of the longer side; None for that
            of a hit box within the picture.
    """

    texture: Texture
    rows: int
    reach: float | None = None


class InstanceRows(NamedTuple):
    """The rows of an `InstanceList`, as the graphics card gets them.

    Attributes:
        places: x, y, depth and angle in degrees of each.
        sizes: Width and height in pixels of each.
        colors: Red, green, blue and alpha of each, from 0 to 255.
        order: The rows, from the one that is drawn first.
    """

    places: array[float]
    sizes: array[float]
    colors: array[int]
    order: array[int]


class InstanceList(SpriteList[BasicSprite]):
    """A sprite list whose sprites are rows of arrays until the game accesses them.

    Args:
        runs: What the rows show, in their order.
        rows: The rows. The list keeps these arrays, and makes them longer.
        make: Called with the number of a row that is accessed. It makes the sprite, with the
            transform of the row, and calls `adopt` with it.
        atlas: The texture atlas; None for the default one.

    Raises:
        ValueError: The arrays are not of one length.

    The constructor uses no OpenGL, and may be called in any thread; all methods in the main
    thread.
    """

    def __init__(
        self,
        runs: Sequence[InstanceRun],
        rows: InstanceRows,
        make: Callable[[int], object],
        atlas: Any = None,
    ) -> None:
        super().__init__(capacity=1, lazy=True, atlas=atlas)
        count = sum(run.rows for run in runs)
        self._check(rows, count)
        capacity = max(_MULTIPLE, -(-count // _MULTIPLE) * _MULTIPLE)
        for some, width in ((rows.places, 4), (rows.sizes, 2), (rows.colors, 4), (rows.order, 1)):
            some.frombytes(bytes((capacity - count) * width * some.itemsize))
        self._runs = tuple(runs)
        self._make = make
        self._count = count  # rows that began as instances
        self._buf_capacity = self._idx_capacity = capacity
        self._sprite_buffer_slots = self._sprite_index_slots = count
        self._sprite_pos_angle_data, self._sprite_size_data, self._sprite_color_data = rows[:3]
        self._sprite_index_data = rows.order
        self._sprite_texture_data = array("f", bytes(4 * capacity))
        self._slots = _Slots()
        self._sprites = _Sprites(self)
        self.sprite_slot = self._slots
        self.sprite_list = self._sprites  # type: ignore[assignment]
        self.spatial_hash = _SpatialHash(self, _SQUARE)

    @staticmethod
    def _check(rows: InstanceRows, count: int) -> None:
        wanted = (4 * count, 2 * count, 4 * count, count)
        lengths = (len(rows.places), len(rows.sizes), len(rows.colors), len(rows.order))
        if lengths != wanted:
            raise ValueError(f"{count} instances need arrays of {wanted}, not {lengths}")
        if count and not (min(rows.order) == 0 and max(rows.order) == count - 1):
            raise ValueError("an order is made of the numbers of all rows")

    @property
    def promoted(self) -> int:
        """How many of its sprites are objects."""
        return len(self._slots)

    def sprite_of(self, row: int) -> BasicSprite:
        """The sprite of a row, which is promoted if it is not yet.

        Raises:
            IndexError: There is no such row, or its sprite was taken out.
        """
        self.promote(row)
        sprite = self._slots.sprites.get(row)
        if sprite is None:
            raise IndexError(f"there is no row {row}")
        return sprite

    def promote(self, row: int) -> None:
        """Have an instance become a sprite, if it is one still."""
        slots = self._slots
        if row not in slots.sprites and row not in slots.freed and 0 <= row < self._count:
            self._make(row)

    def adopt(self, row: int, sprite: BasicSprite) -> None:
        """Have a sprite take over the row of an instance, as it stands.

        Raises:
            ValueError: The row has a sprite already, or the sprite is in the list.
        """
        slots = self._slots
        if sprite in slots or row in slots.sprites or row in slots.freed:
            raise ValueError("Sprite already in SpriteList")
        slots[sprite] = row
        sprite.register_sprite_list(self)
        squares: Any = self.spatial_hash
        if squares is not None:
            squares.add(sprite)

    def discard(self, row: int) -> None:
        """Take an instance out, as if its sprite had been removed."""
        if row in self._slots.sprites:
            self.remove(self._slots.sprites[row])
        elif row not in self._slots.freed and 0 <= row < self._count:
            self._slots.freed.add(row)
            self._sprite_buffer_free_slots.append(row)
            index = self._sprite_index_data.index(row)
            self._sprite_index_data.pop(index)
            self._sprite_index_data.append(0)
            self._sprite_index_slots -= 1
            self._sprite_index_changed = True

    def refresh(self, sprite: BasicSprite) -> None:
        """Write a sprite's row anew, which it has taken over with other values than its own."""
        self._update_all(sprite)

    def _run_starts(self) -> Iterator[tuple[int, InstanceRun]]:
        first = 0
        for run in self._runs:
            yield first, run
            first += run.rows

    def _box(self, row: int, run: InstanceRun) -> tuple[float, float, float, float]:
        x, y = self._sprite_pos_angle_data[4 * row : 4 * row + 2]
        wide, high = self._sprite_size_data[2 * row : 2 * row + 2]
        reach = _HALF_DIAGONAL if run.reach is None else run.reach
        reach *= max(abs(wide), abs(high))
        return x - reach, y - reach, x + reach, y + reach

    def unpromoted(self) -> Iterator[tuple[int, tuple[float, float, float, float]]]:
        """The rows that are instances, with the box that each is within."""
        taken, freed = self._slots.sprites, self._slots.freed
        for first, run in self._run_starts():
            for row in range(first, first + run.rows):
                if row not in taken and row not in freed:
                    yield row, self._box(row, run)

    # --------------------------------------------------------- what Arcade does with every sprite

    def _init_deferred(self) -> None:
        if self._initialized:
            return
        # Arcade gives each sprite its texture: for instances it is one write a run.
        self.sprite_list = list(self._slots.sprites.values())
        try:
            super()._init_deferred()
        finally:
            self.sprite_list = self._sprites  # type: ignore[assignment]
        atlas: Any = self._atlas
        numbers = self._sprite_texture_data
        for first, run in self._run_starts():
            number, _ = atlas.add(run.texture)
            numbers[first : first + run.rows] = array("f", (number,)) * run.rows
        for sprite in self._slots.sprites.values():
            self._update_texture(sprite)

    def clear(self, *, capacity: int | None = None, deep: bool = True) -> None:
        """Take out all sprites and instances; see `SpriteList.clear`."""
        if deep:
            for sprite in list(self._slots.sprites.values()):
                sprite._unregister_sprite_list(self)
        self._runs, self._count = (), 0
        self._slots = _Slots()
        self._sprites = _Sprites(self)
        super().clear(capacity=capacity, deep=False)
        self.sprite_slot = self._slots
        self.sprite_list = self._sprites  # type: ignore[assignment]
        self.spatial_hash = _SpatialHash(self, _SQUARE)

    def update(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Call `update` of all sprites; an instance has none that does anything."""
        for sprite in list(self._slots.sprites.values()):
            sprite.update(delta_time, *args, **kwargs)

    def update_animation(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Call `update_animation` of all sprites; an instance has none that does anything."""
        for sprite in list(self._slots.sprites.values()):
            sprite.update_animation(delta_time, *args, **kwargs)

    def sort(self, *, key: Callable[[BasicSprite], Any], reverse: bool = False) -> None:
        """Sort in place, which promotes all; see `SpriteList.sort`."""
        found = sorted(self._sprites, key=key, reverse=reverse)
        slots = self._slots
        self._sprite_index_data[: len(found)] = array("i", [slots[one] for one in found])
        self._sprite_index_changed = True

    def shuffle(self) -> None:
        """Shuffle in place; see `SpriteList.shuffle`."""
        some = list(self._sprite_index_data[: self._sprite_index_slots])
        random.shuffle(some)
        self._sprite_index_data[: len(some)] = array("i", some)
        self._sprite_index_changed = True

    def enable_spatial_hashing(self, spatial_hash_cell_size: int = _SQUARE) -> None:
        """Find sprites by squares of another size; a list of instances always has some."""
        old = self.spatial_hash
        if old is None or old.cell_size != spatial_hash_cell_size:
            self.spatial_hash = _SpatialHash(self, spatial_hash_cell_size)


class _Slots(dict[BasicSprite, int]):
    """Arcade's rows of sprites, and the other way round.

    Attributes:
        sprites: The sprite of a row.
        freed: Rows that sprites were taken out of.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sprites: dict[int, BasicSprite] = {}
        self.freed: set[int] = set()

    def __setitem__(self, sprite: BasicSprite, row: int) -> None:
        super().__setitem__(sprite, row)
        self.sprites[row] = sprite
        self.freed.discard(row)

    def __delitem__(self, sprite: BasicSprite) -> None:
        row = self[sprite]
        super().__delitem__(sprite)
        del self.sprites[row]
        self.freed.add(row)


class _Sprites:
    """What Arcade takes for the Python list of all sprites: it answers from the rows.

    Which row is at which index stands in the index array, which Arcade's methods change right
    before or after they change this list. So the methods that change a list do nothing here.
    """

    def __init__(self, owner: InstanceList) -> None:
        self._owner = owner

    def __len__(self) -> int:
        return self._owner._sprite_index_slots

    def __iter__(self) -> Iterator[BasicSprite]:
        index = 0
        while index < len(self):  # as a list does that is changed meanwhile
            yield self[index]
            index += 1

    def __reversed__(self) -> Iterator[BasicSprite]:
        return (self[index] for index in range(len(self) - 1, -1, -1))

    def __contains__(self, sprite: object) -> bool:
        return sprite in self._owner._slots

    def __eq__(self, other: object) -> bool:
        return isinstance(other, list | _Sprites) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        length = len(self)
        place = index + length if index < 0 else index
        if not 0 <= place < length:
            raise IndexError("list index out of range")
        return self._owner.sprite_of(self._owner._sprite_index_data[place])

    def __setitem__(self, index: int, sprite: BasicSprite) -> None:
        pass

    def index(self, sprite: BasicSprite) -> int:
        """The index of a sprite."""
        row = self._owner._slots.get(sprite)
        if row is None:
            raise ValueError(f"{sprite!r} is not in list")
        return self._owner._sprite_index_data.index(row)

    def pop(self, index: int = -1) -> BasicSprite:
        """The sprite of an index."""
        if not len(self):
            raise IndexError("pop from empty list")
        sprite: BasicSprite = self[index]
        return sprite

    def append(self, sprite: BasicSprite) -> None:
        """Does nothing, as Arcade's caller changes the index array."""

    def insert(self, index: int, sprite: BasicSprite) -> None:
        """Does nothing, as Arcade's caller changes the index array."""

    def reverse(self) -> None:
        """Does nothing, as Arcade's caller changes the index array."""


class _SpatialHash(SpatialHash[BasicSprite]):
    """Arcade's spatial hash, with instances noted by their rows until they are promoted.

    What is found is what Arcade's own would find: the instances near a place are promoted, entered
    as sprites, and then asked for. The boxes of instances are a little too large, so some are
    promoted that are only near.
    """

    def __init__(self, owner: InstanceList, cell_size: int) -> None:
        super().__init__(cell_size)
        self._owner = owner
        # Instances by square, and those of more squares than are worth while; None before the
        # first question.
        self._rows: dict[tuple[int, int], list[int]] | None = None
        self._wide_rows: list[int] = []
        self._wide: dict[BasicSprite, None] = {}

    def _squares(self, box: tuple[float, float, float, float]) -> list[tuple[int, int]] | None:
        """The squares of a box; None if they are too many."""
        left, bottom = self.hash((math.trunc(box[0]), math.trunc(box[1])))
        right, top = self.hash((math.trunc(box[2]), math.trunc(box[3])))
        if (right - left + 1) * (top - bottom + 1) > _MOST_SQUARES:
            return None
        columns = range(left, right + 1)
        return [(column, row) for column in columns for row in range(bottom, top + 1)]

    def _fill(self) -> dict[tuple[int, int], list[int]]:
        rows: dict[tuple[int, int], list[int]] = {}
        for row, box in self._owner.unpromoted():
            squares = self._squares(box)
            if squares is None:
                self._wide_rows.append(row)
            else:
                for square in squares:
                    rows.setdefault(square, []).append(row)
        self._rows = rows
        for sprite in list(self._owner.sprite_slot):
            self.add(sprite)
        return rows

    def _promote(self, box: tuple[float, float, float, float]) -> set[BasicSprite]:
        """Promotes the instances in a box. Returns the sprites that are too large for squares."""
        rows = self._fill() if self._rows is None else self._rows
        near, self._wide_rows = self._wide_rows, []
        squares = self._squares(box)
        for square in list(rows) if squares is None else squares:
            near += rows.pop(square, ())
        for row in near:
            self._owner.promote(row)
        return set(self._wide)

    def add(self, sprite: BasicSprite) -> None:
        """Note where a sprite is, if anybody has asked where sprites are."""
        if self._rows is None:
            return
        if self._squares((sprite.left, sprite.bottom, sprite.right, sprite.top)) is None:
            self._wide[sprite] = None
            self.buckets_for_sprite[sprite] = []
        else:
            super().add(sprite)

    def remove(self, sprite: BasicSprite) -> None:
        """Note that a sprite is gone."""
        if self._rows is not None:
            super().remove(sprite)
            self._wide.pop(sprite, None)

    def reset(self) -> None:
        """Forget all; it is filled anew at the next question."""
        super().reset()  # type: ignore[no-untyped-call]
        self._rows = None
        self._wide_rows = []
        self._wide = {}

    def get_sprites_near_sprite(self, sprite: BasicSprite) -> set[BasicSprite]:
        """The sprites in the squares of a sprite."""
        wide = self._promote((sprite.left, sprite.bottom, sprite.right, sprite.top))
        return super().get_sprites_near_sprite(sprite) | wide

    def get_sprites_near_point(self, point: tuple[float, float]) -> set[BasicSprite]:  # type: ignore[override]
        """The sprites in the square of a point."""
        wide = self._promote((point[0], point[1], point[0], point[1]))
        return super().get_sprites_near_point(point) | wide

    def get_sprites_near_rect(self, rect: Rect) -> set[BasicSprite]:
        """The sprites in the squares of a rectangle."""
        left, right, bottom, top = rect.lrbt
        wide = self._promote((left, bottom, right, top))
        return super().get_sprites_near_rect(rect) | wide

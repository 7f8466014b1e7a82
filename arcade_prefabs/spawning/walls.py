"""`Walls`: the solid sprites, as one sequence that physics engines can keep.

**The problem.** A physics engine copies the lists that it is given, so it never sees lists that
come later (`_add_to_list`, arcade/physics_engines.py:279). In a streamed world, wall lists come and
go with cells.

**The way taken.** Arcade keeps an `arcade.SpriteSequence` as the object that it is, and asks it
anew for each collision. `Walls` is one, over whatever wall lists there are at the moment. Given
once to an engine as ``walls``, ``platforms`` or ``ladders``, it follows the world.

**The way rejected.** *Adding each list to, and removing it from, each engine*: the game would have
to report its engines, and an engine made with ``walls=world.walls`` would see nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, Protocol

from arcade import BasicSprite, SpriteList, SpriteSequence
from arcade.sprite_list.spatial_hash import ReadOnlySpatialHash
from arcade.types import Point, Rect

from .watched_lists import WallList

__all__ = ["DEFAULT_GROUP", "SpriteLists", "WallLists", "Walls"]

DEFAULT_GROUP: Final = "default"


class WallLists(Protocol):
    """Gives the list that a solid sprite is added to: `Walls`, or a live cell. Main thread."""

    def wall_list(self, group: str) -> SpriteList[Any]:
        """Returns the list for the solid sprites of a collision group."""
        ...


class SpriteLists(SpriteSequence[Any]):
    """One sequence of the sprites of several sprite lists, for collision checks; always current.

    The lists come and go with entities and cells. ``bool`` of it is true even if it is empty:
    Arcade ignores a sequence that is false, and lists may come later.

    Main thread.
    """

    def __init__(self) -> None:
        self._lists: dict[SpriteList[Any], None] = {}
        self._hash = _Hashes(self._lists)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} sprites in {len(self._lists)} lists>"

    @property
    def lists(self) -> tuple[SpriteList[Any], ...]:
        """The current sprite lists, for collision checks; layers draw the same sprites."""
        return tuple(self._lists)

    @property
    def spatial_hash(self) -> ReadOnlySpatialHash[Any]:
        """The spatial hash that Arcade's collision functions ask for."""
        return self._hash

    def put_in(self, sprites: SpriteList[Any]) -> None:
        """Adds the sprites of a list."""
        self._lists[sprites] = None

    def take_out(self, sprites: SpriteList[Any]) -> None:
        """Removes the sprites of a list; does nothing for a list that was not added."""
        self._lists.pop(sprites, None)

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return sum(map(len, self._lists))

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.lists)

    def __contains__(self, sprite: object) -> bool:
        return any(sprite in sprites for sprites in self._lists)

    def __getitem__(self, index: int) -> Any:
        return tuple(self)[index]

    def update(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Calls ``update`` of each list."""
        for sprites in self.lists:
            sprites.update(delta_time, *args, **kwargs)

    def update_animation(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Calls ``update_animation`` of each list."""
        for sprites in self.lists:
            sprites.update_animation(delta_time, *args, **kwargs)

    def draw(self, **options: Any) -> None:
        """Draws the sprites, for debugging only: layers draw the same sprites."""
        for sprites in self.lists:
            sprites.draw(**options)

    def draw_hit_boxes(self, color: Any = (0, 0, 0, 255), line_thickness: float = 1.0) -> None:
        """Draws the hit boxes, for debugging."""
        for sprites in self.lists:
            sprites.draw_hit_boxes(color, line_thickness)

    def get_nearby_sprites_gpu(self, pos: Point, size: Point) -> list[Any]:
        """Returns the sprites near a position, found by the graphics card.

        Arcade's collision functions call it with ``method=2``; the spatial hash is faster.
        """
        found: list[Any] = []
        for sprites in self.lists:
            if len(sprites):
                sprites.initialize()
                found += sprites.get_nearby_sprites_gpu(pos, size)
        return found

    def _write_sprite_buffers_to_gpu(self) -> None:
        for sprites in self.lists:
            sprites.write_sprite_buffers_to_gpu()


class _Hashes:
    """The spatial hashes of all lists, as one."""

    __slots__ = ("_lists",)

    def __init__(self, lists: Mapping[SpriteList[Any], None]) -> None:
        self._lists = lists

    def _all(self) -> Iterator[Any]:
        return (sprites.spatial_hash for sprites in self._lists if len(sprites))

    def get_sprites_near_sprite(self, sprite: BasicSprite) -> set[Any]:
        """Returns sprites in the same squares as another sprite."""
        return set().union(
            *(spatial_hash.get_sprites_near_sprite(sprite) for spatial_hash in self._all())
        )

    def get_sprites_near_point(self, point: Point) -> set[Any]:
        """Returns sprites in the same square as a point."""
        return set().union(
            *(spatial_hash.get_sprites_near_point(point) for spatial_hash in self._all())
        )

    def get_sprites_near_rect(self, rect: Rect) -> set[Any]:
        """Returns sprites in the same squares as a rectangle."""
        return set().union(
            *(spatial_hash.get_sprites_near_rect(rect) for spatial_hash in self._all())
        )

    @property
    def count(self) -> int:
        """The number of squares that have sprites."""
        return sum(spatial_hash.count for spatial_hash in self._all())


class Walls(SpriteLists):
    """The solid sprites, for physics engines: `PrefabPlugin.walls`, or `StreamingManager.walls`.

    Example::

        engine = arcade.PhysicsEnginePlatformer(
            player,
            walls=world.walls.group("default"),
            platforms=world.walls.group("platforms"),
            ladders=world.walls.group("ladders"),
        )

    `Walls` itself has all solid sprites; `group` returns those of one collision group. Give either
    to a physics engine once: it follows spawns, despawns and cells by itself.

    Main thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, SpriteLists] = {}
        self._own: dict[str, SpriteList[Any]] = {}

    def group(self, name: str) -> SpriteLists:
        """Returns the solid sprites of one collision group; always the same object."""
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = SpriteLists()
        return found

    def connect(self, engine: Any, group: str | None = None) -> None:
        """Adds the walls to a physics engine that was made without them.

        Args:
            engine: An `arcade.PhysicsEngineSimple` or `arcade.PhysicsEnginePlatformer`.
            group: The collision group to add; None for all.
        """
        self.disconnect(engine)
        engine.walls.append(self if group is None else self.group(group))

    def disconnect(self, engine: Any) -> None:
        """Removes the walls from a physics engine."""
        mine = {id(self), *(id(sequence) for sequence in self._groups.values())}
        engine.walls[:] = [sequence for sequence in engine.walls if id(sequence) not in mine]

    # ------------------------------------------------------------------ called by spawns and cells

    def wall_list(self, group: str) -> SpriteList[Any]:
        """Returns the list for solid sprites of a collision group that belong to no cell."""
        found = self._own.get(group)
        if found is None:
            found = self._own[group] = WallList()
            self.add({group: found})
        return found

    def add(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """Adds lists, by their collision groups."""
        for name, sprites in lists.items():
            self._lists[sprites] = None
            self.group(name)._lists[sprites] = None

    def remove(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """Removes lists, by their collision groups."""
        for name, sprites in lists.items():
            self._lists.pop(sprites, None)
            self.group(name)._lists.pop(sprites, None)

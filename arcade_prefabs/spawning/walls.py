"""`Walls`: the sprites that things stop at, as Arcade's physics engines want them.

An engine copies what it is given: of lists, or anything that gives lists, it knows those of that
moment for ever (`_add_to_list`, arcade/physics_engines.py:279). Only an `arcade.SpriteSequence` is
kept as the object that it is, and asked anew at each collision. So walls are one, over whatever
lists there are at the moment: handed over once, as ``walls``, ``platforms`` or ``ladders``, they
follow the world. Engines that are told of each list as it comes, which was the way before, have to
be told by somebody, and know nothing of the lists if they were made with ``walls=world.walls``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, Protocol

from arcade import BasicSprite, SpriteList, SpriteSequence
from arcade.types import Point, Rect

from .watched_lists import WallList

__all__ = ["DEFAULT_GROUP", "SpriteLists", "WallLists", "Walls"]

DEFAULT_GROUP: Final = "default"


class WallLists(Protocol):
    """Who has lists for solid sprites: `Walls`, or a region of a world. Main thread."""

    def wall_list(self, group: str) -> SpriteList[Any]:
        """The list for the solid sprites of a collision group."""
        ...


class SpriteLists(SpriteSequence[Any]):
    """The sprites of several lists that come and go, as one sequence that is always current.

    It is true also while it is empty, for Arcade ignores an empty sequence that it is given, and
    lists may come later.

    Main thread.
    """

    def __init__(self) -> None:
        self._lists: dict[SpriteList[Any], None] = {}
        self._hash = _Hashes(self._lists)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} sprites in {len(self._lists)} lists>"

    @property
    def lists(self) -> tuple[SpriteList[Any], ...]:
        """The lists that there are now; they are not for drawing."""
        return tuple(self._lists)

    @property
    def spatial_hash(self) -> _Hashes:
        """Where the sprites are, as Arcade's collisions ask for it."""
        return self._hash

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return sum(map(len, self._lists))

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.lists)

    def __contains__(self, sprite: object) -> bool:
        return any(sprite in one for one in self._lists)

    def __getitem__(self, index: int) -> Any:
        return tuple(self)[index]

    def update(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Call the ``update`` of each sprite."""
        for one in self.lists:
            one.update(delta_time, *args, **kwargs)

    def update_animation(self, delta_time: float = 1 / 60, *args: Any, **kwargs: Any) -> None:
        """Call the ``update_animation`` of each sprite."""
        for one in self.lists:
            one.update_animation(delta_time, *args, **kwargs)

    def draw(self, **options: Any) -> None:
        """Draw the sprites once more, for people who debug: layers draw them in any case."""
        for one in self.lists:
            one.draw(**options)

    def draw_hit_boxes(self, color: Any = (0, 0, 0, 255), line_thickness: float = 1.0) -> None:
        """Draw what things collide with, for people who debug."""
        for one in self.lists:
            one.draw_hit_boxes(color, line_thickness)

    def get_nearby_sprites_gpu(self, pos: Point, size: Point) -> list[Any]:
        """Sprites near a place, found by the graphics card; the spatial hash is quicker."""
        found: list[Any] = []
        for one in self.lists:
            if len(one):
                one.initialize()
                found += one.get_nearby_sprites_gpu(pos, size)
        return found

    def _write_sprite_buffers_to_gpu(self) -> None:
        for one in self.lists:
            one.write_sprite_buffers_to_gpu()


class _Hashes:
    """The spatial hashes of all lists, as one."""

    __slots__ = ("_lists",)

    def __init__(self, lists: Mapping[SpriteList[Any], None]) -> None:
        self._lists = lists

    def _all(self) -> Iterator[Any]:
        return (one.spatial_hash for one in self._lists if len(one))

    def get_sprites_near_sprite(self, sprite: BasicSprite) -> set[Any]:
        """Sprites in the same squares as another one."""
        return set().union(*(one.get_sprites_near_sprite(sprite) for one in self._all()))

    def get_sprites_near_point(self, point: Point) -> set[Any]:
        """Sprites in the same square as a point."""
        return set().union(*(one.get_sprites_near_point(point) for one in self._all()))

    def get_sprites_near_rect(self, rect: Rect) -> set[Any]:
        """Sprites in the same squares as a rectangle."""
        return set().union(*(one.get_sprites_near_rect(rect) for one in self._all()))

    @property
    def count(self) -> int:
        """How many squares have any."""
        return sum(one.count for one in self._all())


class Walls(SpriteLists):
    """The sprites of solid colliders, for physics engines: `PrefabPlugin.walls`, or a world's.

    Example::

        engine = arcade.PhysicsEnginePlatformer(
            player,
            walls=world.walls.group("default"),
            platforms=world.walls.group("platforms"),
            ladders=world.walls.group("ladders"),
        )

    It is one sequence of all solid sprites, and `group` is one of those of a collision group. What
    is given to an engine once follows what is spawned, and the cells that come and go.

    Main thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[str, SpriteLists] = {}
        self._own: dict[str, SpriteList[Any]] = {}

    def group(self, name: str) -> SpriteLists:
        """The solid sprites of one collision group; always the same object, and always current."""
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = SpriteLists()
        return found

    def connect(self, engine: Any, group: str | None = None) -> None:
        """Add the walls to those of a physics engine that was made without them.

        Args:
            engine: An `arcade.PhysicsEngineSimple` or `arcade.PhysicsEnginePlatformer`.
            group: Only those of that collision group; None for all.
        """
        self.disconnect(engine)
        engine.walls.append(self if group is None else self.group(group))

    def disconnect(self, engine: Any) -> None:
        """Take them out of an engine's walls."""
        mine = {id(self), *(id(one) for one in self._groups.values())}
        engine.walls[:] = [one for one in engine.walls if id(one) not in mine]

    # ------------------------------------------------------------------ called by what spawns them

    def wall_list(self, group: str) -> SpriteList[Any]:
        """The list that solid sprites of a collision group are put into, where no region has one.

        See `WallLists`.
        """
        found = self._own.get(group)
        if found is None:
            found = self._own[group] = WallList()
            self.add({group: found})
        return found

    def add(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """Lists are there now, by their collision groups."""
        for name, one in lists.items():
            self._lists[one] = None
            self.group(name)._lists[one] = None

    def remove(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """Lists are there no more."""
        for name, one in lists.items():
            self._lists.pop(one, None)
            self.group(name)._lists.pop(one, None)

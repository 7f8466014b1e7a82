"""Where the sprites of a world are: lists of each region and layer, dropped whole with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from arcade import BasicSprite, SpriteList

__all__ = ["RegionLists", "WorldWalls"]

# A list is written to the graphics card, and its buffers grow, as a whole: with more sprites that
# would be more than a slice of a frame.
_SPRITES: Final = 512
_SMALL: Final = 64


class RegionLists(Mapping[str, SpriteList[Any]]):
    """The sprite lists of one region: a scene to spawn into.

    Each layer has as many lists as it needs; asked for a layer, it gives the one that has room.

    Args:
        known: The names of all layers of the world; new ones are added.

    Attributes:
        walls: The solid sprites, by collision group.
        shown_in: Those of the world, as long as the region is active.

    Main thread.
    """

    def __init__(self, known: dict[str, None]) -> None:
        self._known = known
        self._layers: dict[str, list[SpriteList[Any]]] = {}
        self.walls: dict[str, SpriteList[Any]] = {}
        self.shown_in: WorldWalls | None = None

    def __getitem__(self, layer: str) -> SpriteList[Any]:
        lists = self._layers.get(layer)
        if lists is None:
            lists = self._layers[layer] = [SpriteList(capacity=_SMALL, lazy=True)]
            self._known.setdefault(layer)
        elif len(lists[-1]) >= _SPRITES:
            lists.append(SpriteList(capacity=_SPRITES, lazy=True))
        return lists[-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def of(self, layer: str) -> list[SpriteList[Any]]:
        """All lists of a layer."""
        return self._layers.get(layer, [])

    def all(self) -> list[SpriteList[Any]]:
        """All lists that are drawn."""
        return [one for lists in self._layers.values() for one in lists]

    def list_with(self, layer: str, sprite: BasicSprite) -> SpriteList[Any] | None:
        """The list of a layer that a sprite is in."""
        return next((one for one in self.of(layer) if sprite in one), None)

    def group(self, name: str) -> SpriteList[Any]:
        """The solid sprites of a collision group."""
        found = self.walls.get(name)
        if found is None:
            # Never drawn, so it needs no buffers; the hash keeps collisions on the processor.
            found = self.walls[name] = SpriteList(use_spatial_hash=True, lazy=True)
            if self.shown_in is not None:
                self.shown_in.add({name: found})
        return found

    def holds(self, one: object) -> bool:
        """Whether a list is one of these."""
        if any(one is wall for wall in self.walls.values()):
            return True
        return any(one is drawn for lists in self._layers.values() for drawn in lists)

    def drop(self) -> Iterator[int]:
        """Let go of everything, list by list; gives how many sprites the next one has.

        Sprites that the world does not know of, which the game has put here, lose their list.
        """
        waiting = [*self.walls.values(), *self.all()]
        self._layers.clear()
        self.walls.clear()
        while waiting:
            yield len(waiting[-1])
            one = waiting.pop()
            for sprite in one.sprite_list:
                if one in sprite.sprite_lists:
                    sprite.sprite_lists.remove(one)


class WorldWalls:
    """The sprites of a world that things stop at, as physics engines want them.

    Example::

        engine = arcade.PhysicsEnginePlatformer(player)
        world.walls.connect(engine)

    The lists of cells come and go; engines that are connected are kept current. The lists are not
    for drawing.

    Main thread.
    """

    def __init__(self) -> None:
        self._lists: dict[SpriteList[Any], str] = {}
        self._engines: list[tuple[Any, str | None]] = []

    def __iter__(self) -> Iterator[SpriteList[Any]]:
        return iter(tuple(self._lists))

    def __len__(self) -> int:
        return len(self._lists)

    def group(self, name: str) -> list[SpriteList[Any]]:
        """The lists of one collision group, as they are now."""
        return [one for one, group in self._lists.items() if group == name]

    def connect(self, engine: Any, group: str | None = None) -> None:
        """Keep the walls of a physics engine current.

        Args:
            engine: An `arcade.PhysicsEngineSimple` or `arcade.PhysicsEnginePlatformer`.
            group: Only the walls of that collision group; None for all.
        """
        self.disconnect(engine)
        self._engines.append((engine, group))
        for one, name in self._lists.items():
            _add(engine, group, one, name)

    def disconnect(self, engine: Any) -> None:
        """Take the world's walls out of an engine, and tell it of no others."""
        if any(one is engine for one, _ in self._engines):
            self._engines = [pair for pair in self._engines if pair[0] is not engine]
            for wall in self._lists:
                _remove(engine, wall)

    def add(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """A region is there."""
        for name, one in lists.items():
            if one not in self._lists:
                self._lists[one] = name
                for engine, group in self._engines:
                    _add(engine, group, one, name)

    def remove(self, lists: Mapping[str, SpriteList[Any]]) -> None:
        """A region is there no more."""
        for one in lists.values():
            if self._lists.pop(one, None) is not None:
                for engine, _ in self._engines:
                    _remove(engine, one)


def _add(engine: Any, group: str | None, one: SpriteList[Any], name: str) -> None:
    if group in (None, name) and not any(known is one for known in engine.walls):
        engine.walls.append(one)


def _remove(engine: Any, one: SpriteList[Any]) -> None:
    for number, known in enumerate(engine.walls):
        if known is one:
            del engine.walls[number]
            return

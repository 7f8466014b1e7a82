"""`CellSpriteLists`: the sprite lists of one live cell, which are dropped as a whole with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from arcade import BasicSprite, SpriteList

from ...spawning.walls import Walls
from ...spawning.watched_lists import SpriteOwners, WallList, WatchedSpriteList

__all__ = ["CellSpriteLists"]

# Sprites in a list at most. Arcade uploads a changed list, and grows its buffers, as a whole: with
# more sprites that would take longer than one step may.
_SPRITES: Final = 512
_SMALL: Final = 64


class CellSpriteLists(Mapping[str, SpriteList[Any]]):
    """The sprite lists of one live cell, as the scene that its entities are spawned into.

    A layer has as many lists as it needs. ``lists[layer]`` returns the layer's list that has room,
    and makes one if there is none.

    Args:
        known: The names of all layers of the world; names of new layers are added to it.
        owners: Has the sprites of all entities, for `WatchedSpriteList`.

    Attributes:
        walls: The solid sprites, by collision group.
        shown_in: The world's `Walls` while the cell is active; None before and after.

    Main thread.
    """

    def __init__(self, known: dict[str, None], owners: SpriteOwners) -> None:
        self._known = known
        self._owners = owners
        self._layers: dict[str, list[SpriteList[Any]]] = {}
        self.walls: dict[str, SpriteList[Any]] = {}
        self.shown_in: Walls | None = None

    def __getitem__(self, layer: str) -> SpriteList[Any]:
        lists = self._layers.get(layer)
        if lists is None:
            lists = self._layers[layer] = [self._new(_SMALL)]
            self._known.setdefault(layer)
        elif len(lists[-1]) >= _SPRITES:
            lists.append(self._new(_SPRITES))
        return lists[-1]

    def _new(self, capacity: int) -> SpriteList[Any]:
        return WatchedSpriteList(self._owners, capacity=capacity, lazy=True)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def of(self, layer: str) -> list[SpriteList[Any]]:
        """Returns all lists of a layer."""
        return self._layers.get(layer, [])

    def all(self) -> list[SpriteList[Any]]:
        """Returns all lists that are drawn: those of all layers, without the walls."""
        return [sprites for lists in self._layers.values() for sprites in lists]

    def list_with(self, layer: str, sprite: BasicSprite) -> SpriteList[Any] | None:
        """Returns the list of a layer that a sprite is in; None if no list of the layer has it."""
        return next((sprites for sprites in self.of(layer) if sprite in sprites), None)

    def group(self, name: str) -> SpriteList[Any]:
        """Returns the wall list of a collision group; makes one if there is none."""
        found = self.walls.get(name)
        if found is None:
            found = self.walls[name] = WallList()
            if self.shown_in is not None:
                self.shown_in.add({name: found})
        return found

    def holds(self, candidate: object) -> bool:
        """Whether an object is one of these lists, walls included."""
        if any(candidate is wall for wall in self.walls.values()):
            return True
        return any(candidate is drawn for lists in self._layers.values() for drawn in lists)

    def drop(self) -> Iterator[int]:
        """Drops all lists, one in each step of the iterator.

        Yields the number of sprites of a list before it drops that list. Sprites that the game has
        put into these lists itself are taken out of them.
        """
        waiting = [*self.walls.values(), *self.all()]
        self._layers.clear()
        self.walls.clear()
        while waiting:
            yield len(waiting[-1])
            sprites = waiting.pop()
            for sprite in sprites.sprite_list:
                if sprites in sprite.sprite_lists:
                    sprite.sprite_lists.remove(sprites)

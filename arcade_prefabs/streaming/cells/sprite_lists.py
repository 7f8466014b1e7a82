"""Where the sprites of a world are: lists of each region and layer, dropped whole with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from arcade import BasicSprite, SpriteList

from ...spawning.walls import Walls
from ...spawning.watched_lists import SpriteOwners, WallList, WatchedSpriteList

__all__ = ["CellSpriteLists"]

# A list is written to the graphics card, and its buffers grow, as a whole: with more sprites that
# would be more than a slice of a frame.
_SPRITES: Final = 512
_SMALL: Final = 64


class CellSpriteLists(Mapping[str, SpriteList[Any]]):
    """The sprite lists of one region: a scene to spawn into.

    Each layer has as many lists as it needs; asked for a layer, it gives the one that has room.

    Args:
        known: The names of all layers of the world; new ones are added.
        owners: Knows whose sprites are whose.

    Attributes:
        walls: The solid sprites, by collision group.
        shown_in: Those of the world, as long as the region is active.

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
            found = self.walls[name] = WallList()
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

"""Where sprites go: named layers to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from arcade import BasicSprite, Scene, SpriteList

from ..errors import SpawnError
from ..prefab.suggestions import did_you_mean
from .watched_lists import SpriteOwners, WatchedSpriteList

__all__ = ["Layers", "SpawnScene", "check_scene", "check_wall"]

SpawnScene: TypeAlias = Scene | SpriteList[Any] | Mapping[str, SpriteList[Any]]
"""What entities can be spawned into: a scene with named layers, one list for all of them, or lists
by the names of layers."""


def check_scene(scene: object) -> None:
    """Refuse what nothing can be spawned into.

    Raises:
        TypeError: It is neither a scene nor a list of sprites, nor lists by names.
    """
    if not isinstance(scene, Scene | SpriteList | Mapping):
        raise TypeError(
            "a scene to spawn into is an arcade.Scene, an arcade.SpriteList, or a mapping of "
            f"layers to lists, not {type(scene).__name__}"
        )
    if isinstance(scene, Mapping):
        for layer, one in scene.items():
            if not isinstance(one, SpriteList):
                raise TypeError(f"the layer {layer!r} is no arcade.SpriteList, but {one!r}")


# The squares of 128 pixels that a list of walls notes each of its sprites in: about 50 ms.
_SQUARE: Final = 128
_MOST_SQUARES: Final = 100_000


def check_wall(sprite: BasicSprite) -> None:
    """Refuse a wall so large that to list where it is would stop the game.

    Raises:
        SpawnError: It is.
    """
    wide = abs(sprite.right - sprite.left) / _SQUARE + 1
    high = abs(sprite.top - sprite.bottom) / _SQUARE + 1
    # Not the other way round: nothing can be said of what is no number.
    if not wide * high <= _MOST_SQUARES:
        size = f"{wide * _SQUARE:,.0f} × {high * _SQUARE:,.0f}"
        raise SpawnError(f"its collider is too large: {size} pixels; walls can be made of several")


class Layers:
    """The plugin's own scene, and the lists that sprites of other scenes belong into.

    Args:
        names: Layers of the own scene, from the bottom to the top; further ones come above them
            as prefabs name them.
        owners: Knows whose sprites are whose.

    Attributes:
        scene: The plugin's own.

    Main thread.
    """

    def __init__(self, names: Iterable[str], owners: SpriteOwners) -> None:
        self.scene = Scene()
        self._owners = owners
        for name in names:
            self._add(self.scene, name)

    def _add(self, scene: Scene, name: str) -> SpriteList[Any]:
        return scene.add_sprite_list(name, sprite_list=WatchedSpriteList(self._owners))

    def list_of(self, scene: SpawnScene | None, layer: str) -> SpriteList[Any]:
        """The list that the sprites of a layer belong into; a scene gets a new one if need be.

        Raises:
            SpawnError: The scene is a mapping without that layer.
        """
        # Scenes come first: to ask whether something is a list takes as long as to list a sprite.
        target = self.scene if scene is None else scene
        if type(target) is not Scene and isinstance(target, SpriteList):
            return target
        try:
            return target[layer]
        except KeyError:
            if isinstance(target, Scene):
                return self._add(target, layer)
            hint = did_you_mean(layer, target)
            raise SpawnError(f"the scene has no layer {layer!r}; {hint}") from None

    def list_with(
        self, scene: SpawnScene | None, layer: str, sprite: BasicSprite
    ) -> SpriteList[Any] | None:
        """The list of a layer that a sprite is in, or None if it was taken out."""
        found = getattr(scene, "list_with", None)  # a scene may have several lists for a layer
        if found is not None:
            one: SpriteList[Any] | None = found(layer, sprite)
            return one
        here = self.list_of(scene, layer)
        return here if sprite in here else None
